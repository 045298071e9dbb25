#include "client/cli/logins.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <sstream>
#include <utility>

#include "client/cli/outcome.h"
#include "client/cli/private_file.h"
#include "client/cli/settings.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr std::pair<const char*, std::string Login::*> kFields[] = {{"token", &Login::token},
                                                                    {"tls_root", &Login::tls_root},
                                                                    {"tls_certificate", &Login::tls_certificate},
                                                                    {"tls_key", &Login::tls_key}};

// A line is named, never quoted: it may hold a token.
absl::Status Refuse(const std::filesystem::path& file, const toml::source_region& where) {
  return UsageError(
      fmt::format("{}:{}: this is not as `deconvoy login` writes it", Printable(file.string()), where.begin.line),
      "Remove the file and log in again.");
}

absl::StatusOr<Login> ToLogin(const toml::table& table, const std::filesystem::path& file) {
  Login login;
  for (const auto& [name, member] : kFields) {
    const toml::node* node = table.get(name);
    if (node == nullptr) continue;
    if (!node->is_string()) return Refuse(file, node->source());
    login.*member = node->as_string()->get();
  }
  return login;
}

}  // namespace

std::optional<std::filesystem::path> LoginsFile() {
  auto file = SettingsFile();
  if (file) file->replace_filename("logins.toml");
  return file;
}

absl::StatusOr<Logins> ReadLogins(const std::filesystem::path& file) {
  Logins logins;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return logins;
  RETURN_IF_ERROR(CheckPrivateFile(file));
  try {
    const toml::table table = toml::parse_file(file.string());
    for (const auto& [server, node] : table) {
      if (!node.is_table()) return Refuse(file, node.source());
      ASSIGN_OR_RETURN(logins[std::string(server.str())], ToLogin(*node.as_table(), file));
    }
  } catch (const toml::parse_error& bad) {
    return Refuse(file, bad.source());
  }
  return logins;
}

absl::Status WriteLogins(const std::filesystem::path& file, const Logins& logins) {
  toml::table table;
  for (const auto& [server, login] : logins) {
    toml::table entry;
    for (const auto& [name, member] : kFields)
      if (!(login.*member).empty()) entry.insert(name, login.*member);
    table.insert(server, std::move(entry));
  }
  std::ostringstream text;
  text << "# Written by `deconvoy login`. Whoever has these tokens is you.\n" << table << '\n';
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  return WritePrivateFile(file, text.str());
}

}  // namespace deconvoy::client
