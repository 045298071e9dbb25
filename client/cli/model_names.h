// Names of the models that a server keeps, as users write them.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace deconvoy::client {

// The resource name for NAME, NAME@N, models/NAME or a resource name. An error of usage for anything else.
absl::StatusOr<std::string> ModelArgument(std::string_view text);

// `models/NAME@N` for a version; else the name itself.
std::string ShortModelName(const std::string& name);

}  // namespace deconvoy::client
