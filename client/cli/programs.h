// The other programs of this release, which lie beside this one.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace deconvoy::client {

// Path of `name` in the folder of the running program. NOT_FOUND with a remedy when it is not there.
absl::StatusOr<std::filesystem::path> SiblingProgram(const std::string& name);

// Runs a program to its end and returns what it wrote to standard output; an error when it does not exit with 0.
absl::StatusOr<std::string> OutputOf(const std::filesystem::path& program, const std::vector<std::string>& arguments);

}  // namespace deconvoy::client
