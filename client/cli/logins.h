// What `deconvoy login` keeps: for each server a token, and how its certificate is checked.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace deconvoy::client {

struct Login {
  std::string token;
  std::string tls_root = {};  // absolute paths of PEM files; empty: none
  std::string tls_certificate = {};
  std::string tls_key = {};
  friend bool operator==(const Login&, const Login&) = default;
};

// By the server's address, as it was given.
using Logins = std::map<std::string, Login>;

// `logins.toml` beside the settings file; nothing when there is no home.
std::optional<std::filesystem::path> LoginsFile();

// None when the file does not exist. Refuses a file that others may read, and one that is no such file, naming the
// line.
absl::StatusOr<Logins> ReadLogins(const std::filesystem::path& file);

// Replaces the file, with mode 0600; its folder is made where missing.
absl::Status WriteLogins(const std::filesystem::path& file, const Logins& logins);

}  // namespace deconvoy::client
