#include "client/cli/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <cstdlib>
#include <vector>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

std::optional<std::filesystem::path> UnderHome(const char* variable, const char* fallback) {
  if (const char* folder = std::getenv(variable); folder != nullptr && *folder != '\0')
    return std::filesystem::path(folder) / "deconvoy";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / fallback / "deconvoy";
  return std::nullopt;
}

absl::Status Refuse(const std::filesystem::path& file, const toml::source_region& where, std::string_view what,
                    std::string_view remedy) {
  return UsageError(fmt::format("{}:{}: {}", Printable(file.string()), where.begin.line, Printable(what)), remedy);
}

absl::StatusOr<Settings> FromTable(const toml::table& table, const std::filesystem::path& file) {
  Settings settings;
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (name != "server") {
      const std::string nearest = Nearest(name, {"server"});
      return Refuse(file, key.source(), fmt::format("unknown setting '{}'", name),
                    nearest.empty() ? "The only setting is `server`." : fmt::format("Did you mean `{}`?", nearest));
    }
    if (!value.is_string())
      return Refuse(file, value.source(), "`server` is not a text", "Write for instance: server = \"localhost:7450\"");
    settings.server = value.as_string()->get();
  }
  return settings;
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return Settings();
  try {
    return FromTable(toml::parse_file(file.string()), file);
  } catch (const toml::parse_error& bad) {
    return Refuse(file, bad.source(), bad.description(), "Mend the file, or remove it.");
  }
}

std::optional<std::filesystem::path> SettingsFile() {
  const auto folder = UnderHome("XDG_CONFIG_HOME", ".config");
  if (!folder) return std::nullopt;
  return *folder / "client.toml";
}

std::optional<std::filesystem::path> CacheFolder() {
  auto folder = UnderHome("XDG_CACHE_HOME", ".cache");
  if (!folder) return std::nullopt;
  std::error_code error;
  std::filesystem::create_directories(*folder, error);
  if (error || access(folder->c_str(), W_OK | X_OK) != 0) return std::nullopt;
  return folder;
}

}  // namespace deconvoy::client
