// The first administrator of a server, made on its machine with `deconvoyd --init`.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "server/config/server_config.h"

namespace deconvoy::server {

// Gives the user `admin` of the state folder a token, and returns its text; with `token_file`, a file that must not be
// there yet, the text goes there (mode 0600), too. FAILED_PRECONDITION when a server runs on the folder, or when
// somebody can administer it already; INVALID_FIELD with field `token-file`; else the errors of the rooms.
absl::StatusOr<std::string> MakeFirstAdmin(const ServerConfig& config, const std::filesystem::path& token_file);

}  // namespace deconvoy::server
