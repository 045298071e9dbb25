#include "server/config/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/config/named_folder.h"

namespace deconvoy::server {
namespace {

constexpr const char* kFooter = R"(
Examples:
  deconvoyd --state ~/deconvoy --listen unix:$XDG_RUNTIME_DIR/deconvoy.sock
      serve this machine's users, with one worker on all processors
  deconvoyd --config /etc/deconvoy/deconvoyd.toml --check-config
      tell whether the file is right, without starting
  deconvoyd --print-config > deconvoyd.toml
      a file with every setting, its meaning and its range
  deconvoyd --state /var/lib/deconvoy --backup /backup/deconvoy-$(date +%F).sqlite
      copy the database, also while the server runs; copy the spool after it
  deconvoyd --state /var/lib/deconvoy --check
      with the server stopped, compare every stored byte with its checksum; --repair mends what can be mended
  deconvoyd --config /etc/deconvoy/deconvoyd.toml --init --token-file admin.token
      the first administrator of a server that asks for tokens

SIGTERM or SIGINT lets running tasks finish for the time of grace; a second one leaves at once. Nothing that was
acknowledged is lost either way. Exit codes: 0 ok, 1 something is wrong with the state folder, 2 usage or
configuration, 3 state folder, backup or token file cannot be used, 4 address, 130 left at once on a second signal.)";

absl::Status Refuse(std::string_view message, std::string_view remedy = "see `deconvoyd --help`") {
  return MakeError({.reason = v1::INVALID_FIELD, .remedy = std::string(remedy)}, message);
}

// What a flag means, its range, and its default where there is one.
std::string HelpText(const Key& key) {
  const std::string range = RangeText(key), fallback = ValueText(key, ServerConfig{});
  std::string text(key.meaning);
  if (!range.empty()) text += fmt::format(" ({})", range);
  if (fallback != "\"\"" && fallback != "[]") text += fmt::format(" [{}]", fallback);
  return text;
}

// The parser, and what it read.
struct CommandLine {
  CLI::App app{"Server of the deconvolution service: takes volumes and jobs, keeps them safe, and has workers do them.",
               "deconvoyd"};
  ServerConfig flags;  // only those given count
  std::vector<std::pair<const Key*, CLI::Option*>> options;
  std::string config_file;
  std::string backup;
  std::string token_file;
  bool print_config = false, print_permissions = false, check_config = false, local = false, init = false,
       version = false;
  bool check = false, repair = false, json = false;

  CommandLine() {
    app.add_option("--config", config_file, "Configuration file (TOML)");
    for (const Key& key : Keys()) {
      std::visit(
          [&](auto member) {
            options.emplace_back(&key, app.add_option(std::string(key.flag), flags.*member, HelpText(key)));
          },
          key.member);
    }
    app.add_flag("--print-config", print_config, "Print the settings in effect as TOML and leave");
    app.add_flag("--print-permissions", print_permissions, "Print which role may make which call, and leave");
    app.add_flag("--check-config", check_config, "Check file and flags and leave");
    app.add_flag("--local", local, "Be the private server of one caller: end with it and remove the state folder");
    app.add_flag("--check", check, "Check database and spool of a stopped server, say what is wrong, and leave");
    app.add_flag("--repair", repair, "Check, mend what can be mended, check again, and leave");
    app.add_flag("--json", json, "Tell what --check or --repair found as one JSON object");
    app.add_option("--backup", backup, "Copy the database into this new file, also while a server runs, and leave");
    app.add_flag("--init", init,
                 "Make the user `admin` with a token, which is printed once, and leave; refused when the server has an "
                 "administrator");
    app.add_option("--token-file", token_file, "With --init: write the token to this new file, mode 0600");
    app.add_flag("--version", version, "Print the version and leave");
    app.footer(kFooter);
    app.allow_extras();
  }
};

absl::Status RefuseUnknown(const std::string& argument) {
  std::vector<std::string> known = {
      "--config", "--print-config", "--print-permissions", "--check-config", "--local", "--check", "--repair", "--json",
      "--backup", "--init",         "--token-file",        "--version",      "--help"};
  for (const Key& key : Keys()) known.emplace_back(key.flag);
  const std::string nearest = Nearest(argument.substr(0, argument.find('=')), known);
  return Refuse(fmt::format("there is no argument `{}`", Printable(argument)),
                nearest.empty() ? "see `deconvoyd --help`" : fmt::format("did you mean `{}`?", nearest));
}

// What a private server starts from: nothing that outlives it, nobody to wait for, and no chatter.
ServerConfig PrivateDefaults() {
  ServerConfig config;
  config.state_folder.clear();
  config.listen.clear();
  config.log_level = "warning";
  config.shutdown_grace_ms = 0;
  config.keep_free_bytes = 256 << 20;
  return config;
}

absl::StatusOr<ServerConfig> Merge(const CommandLine& line) {
  ServerConfig config = line.local ? PrivateDefaults() : ServerConfig{};
  if (!line.config_file.empty()) {
    ASSIGN_OR_RETURN(config, LoadConfig(line.config_file, config));
  }
  for (const auto& [key, option] : line.options) {
    if (option->count() == 0) continue;
    std::visit([&config, &line](auto member) { config.*member = line.flags.*member; }, key->member);
    RETURN_IF_ERROR(CheckValue(*key, config, key->flag));
  }
  if (!config.state_folder.empty()) {
    config.state_folder = std::filesystem::absolute(config.state_folder).lexically_normal().string();
  }
  RETURN_IF_ERROR(CheckDoors(config));
  RETURN_IF_ERROR(FoldersForFiles(config).status());
  return config;
}

// Which errand, and that nothing is asked for that goes without it.
absl::Status SetErrand(const CommandLine& line, Invocation& result) {
  const bool looks = line.check || line.repair;
  if (line.local && (looks || !line.backup.empty())) {
    return Refuse("a private server (--local) has no state folder to check or back up", "leave out --local");
  }
  if (looks && !line.backup.empty())
    return Refuse("--backup and --check cannot be done at once", "do one after the other");
  if (line.init && (looks || !line.backup.empty()))
    return Refuse("--init goes with none of --check, --repair and --backup", "do one after the other");
  if (line.json && !looks) return Refuse("--json goes with --check or --repair only", "leave it out");
  result.json = line.json;
  result.backup = line.backup;
  if (line.check) result.errand = Errand::kCheck;
  if (line.repair) result.errand = Errand::kRepair;
  if (!line.backup.empty()) result.errand = Errand::kBackup;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Invocation> ParseCommandLine(int argc, const char* const* argv) {
  CommandLine line;
  Invocation result;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    result.answer = line.app.help();
    return result;
  } catch (const CLI::ParseError& error) {
    return Refuse(Printable(error.what()));
  }
  if (!line.app.remaining().empty()) return RefuseUnknown(line.app.remaining().front());
  if (line.version) {
    result.answer = "deconvoyd " DECONVOY_VERSION "\n";
    return result;
  }
  if (!line.token_file.empty() && !line.init) return Refuse("--token-file is given without --init");
  if (line.init && line.local) return Refuse("--init and --local exclude each other");
  ASSIGN_OR_RETURN(result.config, Merge(line));
  result.init = line.init;
  result.token_file = line.token_file;
  result.print_permissions = line.print_permissions;
  result.check_config = line.check_config;
  result.local = line.local;
  RETURN_IF_ERROR(SetErrand(line, result));
  if (line.print_config) result.answer = ToToml(result.config);
  if (line.check_config) result.answer = "the configuration is right\n";
  return result;
}

}  // namespace deconvoy::server
