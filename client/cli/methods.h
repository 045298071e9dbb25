// The methods there are, and how they are shown.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::client {

// What the worker program beside this one can do, without any server.
absl::StatusOr<std::vector<v1::Method>> InstalledMethods();

// The method called `name`; UNKNOWN_METHOD with the nearest name.
absl::StatusOr<v1::Method> FindMethod(const std::vector<v1::Method>& methods, const std::string& name);

// Lines for people: all methods with one line each; one method with everything.
std::vector<std::string> MethodList(const std::vector<v1::Method>& methods);
std::vector<std::string> MethodDetails(const v1::Method& method);

}  // namespace deconvoy::client
