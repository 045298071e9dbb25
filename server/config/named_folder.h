// Folders that the configuration gives a name: NAME=PATH.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/server_config.h"

namespace deconvoy::server {

struct NamedFolder {
  std::string name;            // see IsRootName of proto/contract/server_file.h
  std::filesystem::path path;  // absolute
  bool writable = false;
};

// What the setting `key` says of one. INVALID_FIELD.
absl::StatusOr<NamedFolder> ParseNamedFolder(std::string_view key, std::string_view text);

// Why this process could not use the folder as it is meant; empty where it can. Nothing is refused for it: storage may
// be mounted later.
std::string WhyUnusable(const NamedFolder& folder);

// Those that files are imported from and exported to, of `files.read_only` and `files.read_write`. INVALID_FIELD for
// two of one name, and for a folder that holds the state folder or lies in it, links followed.
absl::StatusOr<std::vector<NamedFolder>> FoldersForFiles(const ServerConfig& config);

}  // namespace deconvoy::server
