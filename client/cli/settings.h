// What a user has set once: the configuration file of the client.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <optional>
#include <string>

namespace deconvoy::client {

// `client.toml`. All settings are optional.
struct Settings {
  std::string server;  // address to use where the command line names none; empty for a local one
};

// Reads a settings file; default settings when it does not exist. Errors name file and line, the unknown key and the
// nearest known one.
absl::StatusOr<Settings> ReadSettings(const std::filesystem::path& file);

// $XDG_CONFIG_HOME/deconvoy/client.toml, else ~/.config/deconvoy/client.toml; nothing when there is no home.
std::optional<std::filesystem::path> SettingsFile();

// A folder for what may be kept between runs: $XDG_CACHE_HOME/deconvoy, else ~/.cache/deconvoy, made where missing;
// nothing when it cannot be written.
std::optional<std::filesystem::path> CacheFolder();

}  // namespace deconvoy::client
