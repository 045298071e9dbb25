// A secret from standard input.
#pragma once

#include <absl/status/statusor.h>

#include <stop_token>
#include <string>

namespace deconvoy::client {

// One line: from a terminal after `prompt`, without showing what is typed, else as it comes. Without its end.
// CANCELLED_BY_USER once `stop` is requested; the terminal shows again what is typed then, too.
absl::StatusOr<std::string> ReadSecret(const std::string& prompt, const std::stop_token& stop);

}  // namespace deconvoy::client
