// The methods of this worker in words.
#pragma once

#include <string>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::worker {

// Every method this program has.
v1::ListMethodsResponse DescribeMethods();

// For people: one paragraph per method, one line per parameter.
std::string ToText(const v1::ListMethodsResponse& methods);
// The message as JSON, with the field names of the proto and every field.
std::string ToJson(const v1::ListMethodsResponse& methods);

}  // namespace deconvoy::worker
