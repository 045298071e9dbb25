// A secret from standard input.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace deconvoy::client {

// One line: from a terminal after `prompt`, without showing what is typed, else as it comes. Without its end.
absl::StatusOr<std::string> ReadSecret(const std::string& prompt);

}  // namespace deconvoy::client
