// Names of the models that a server keeps, as users write them.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace deconvoy::client {

// The resource name for NAME, NAME@N, models/NAME or a resource name. An error of usage for anything else.
absl::StatusOr<std::string> ModelArgument(std::string_view text);

// Whether what may also be a model's file is meant as one: it is no name that ModelArgument takes, and has a / or a
// dot, which names have not. A file with the path of a name is given as ./models/NAME.
bool IsModelFile(std::string_view text);

// The id that a file's model gets in a library: the file's name without `.safetensors`, in lower case, with - for all
// that ids have not. An error of usage where that begins with no letter, or has more than 63 characters.
absl::StatusOr<std::string> ModelIdOfFile(std::string_view file);

// The resource name for what --network takes: a name as ModelArgument takes it, or that which a file's model gets.
// Errors are of usage.
absl::StatusOr<std::string> NetworkArgument(std::string_view text);

// `models/NAME@N` for a version; else the name itself.
std::string ShortModelName(const std::string& name);

}  // namespace deconvoy::client
