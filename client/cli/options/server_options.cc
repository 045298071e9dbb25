#include "client/cli/options/server_options.h"

#include <cstdlib>

#include "client/cli/logins.h"
#include "client/cli/outcome.h"
#include "client/cli/settings.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr char kGroup[] = "Server";

void AddAccess(CLI::App& verb, AccessFiles& files) {
  const auto add = [&](const char* name, std::filesystem::path& file, const char* meaning) {
    verb.add_option(name, file, meaning)->type_name("FILE")->group(kGroup);
  };
  add("--token-file", files.token,
      "File with your token. Without it $DECONVOY_TOKEN, then what `deconvoy login` has kept");
  add("--tls-root", files.tls_root,
      "Certificates (PEM) that the server's must come from. Calls to other machines are encrypted always, by default "
      "with the system's certificates; with this option calls to this machine are, too");
  add("--tls-certificate", files.tls_certificate, "Your own certificate (PEM), where the server asks for one");
  add("--tls-key", files.tls_key, "Key (PEM) of --tls-certificate");
}

CLI::Option* AddServer(CLI::App& verb, ServerOptions& options, const std::string& fallback) {
  CLI::Option* server = verb.add_option("--server", options.server,
                                        "Server to use: localhost:7450, facility:7450 or unix:/path. Without it "
                                        "$DECONVOY_SERVER, then `server` in ~/.config/deconvoy/client.toml, " +
                                            fallback)
                            ->type_name("ADDRESS")
                            ->group(kGroup);
  AddAccess(verb, options.access);
  return server;
}

// The files that are given, else those of the login.
AccessFiles Chosen(const AccessFiles& given, const Login& login) {
  AccessFiles files = given;
  if (files.tls_root.empty()) files.tls_root = login.tls_root;
  if (files.tls_certificate.empty() && files.tls_key.empty()) {
    files.tls_certificate = login.tls_certificate;
    files.tls_key = login.tls_key;
  }
  return files;
}

absl::StatusOr<std::string> ConfiguredServer() {
  if (const char* server = std::getenv("DECONVOY_SERVER"); server != nullptr && *server != '\0') return server;
  const auto file = SettingsFile();
  if (!file) return "";
  ASSIGN_OR_RETURN(const Settings settings, ReadSettings(*file));
  return settings.server;
}

}  // namespace

void AddServerOption(CLI::App& verb, ServerOptions& options) {
  AddServer(verb, options, "else it is an error");
}

void AddCompressOption(CLI::App& verb, ServerOptions& options) {
  verb.add_option(
          "--compress-transfer", options.compress_transfer,
          "How voxels travel. auto: zstd where it makes them a fifth smaller, none to a server on this machine; "
          "through an SSH tunnel say zstd")
      ->check(CLI::IsMember({"auto", "none", "zstd", "lz4"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kGroup);
}

TransferCompression CompressionOf(const ServerOptions& options) {
  if (options.compress_transfer == "none") return TransferCompression::kNone;
  if (options.compress_transfer == "zstd") return TransferCompression::kZstd;
  if (options.compress_transfer == "lz4") return TransferCompression::kLz4;
  return TransferCompression::kAuto;
}

void AddServerOrLocalOptions(CLI::App& verb, ServerOptions& options) {
  CLI::Option* server = AddServer(verb, options, "else a local one");
  verb.add_flag("--local", options.local,
                "Start a private server and one worker for this command, even where a server is configured")
      ->group(kGroup)
      ->excludes(server);
  verb.add_option("--threads", options.threads, "Threads of the local worker [all processors]")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->group(kGroup)
      ->excludes(server);
  verb.add_option("--memory-mib", options.memory_mib,
                  "Memory in MiB that the local worker may use at a time [three quarters of the machine's; of "
                  "a GPU nine tenths of what is free]")
      ->check(CLI::Range(int64_t{64}, int64_t{1} << 26))
      ->type_name("N")
      ->group(kGroup)
      ->excludes(server);
  AddCompressOption(verb, options);
}

absl::StatusOr<std::optional<std::string>> ChooseServer(const ServerOptions& options) {
  if (options.local) return std::nullopt;
  std::string server = options.server;
  if (server.empty()) {
    ASSIGN_OR_RETURN(server, ConfiguredServer());
  }
  if (server.empty()) return std::nullopt;
  if (options.threads || options.memory_mib)
    return UsageError("--threads and --memory-mib are for a local server, but " + server + " is configured",
                      "Add --local, or leave them out.");
  return server;
}

absl::StatusOr<std::string> RequireServer(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options));
  if (server) return *server;
  return UsageError(
      "no server is configured",
      "Name it with --server localhost:7450, with $DECONVOY_SERVER, or as `server = \"localhost:7450\"` in "
      "~/.config/deconvoy/client.toml.");
}

absl::StatusOr<ServerAccess> AccessTo(const std::string& server, const ServerOptions& options) {
  Login login;
  if (const auto file = LoginsFile()) {
    ASSIGN_OR_RETURN(const Logins logins, ReadLogins(*file));
    if (const auto found = logins.find(server); found != logins.end()) login = found->second;
  }
  ASSIGN_OR_RETURN(ServerAccess access, ReadAccess(Chosen(options.access, login)));
  if (!access.token.empty()) return access;
  const char* token = std::getenv("DECONVOY_TOKEN");
  access.token = token != nullptr && *token != '\0' ? token : login.token;
  if (!access.token.empty()) RETURN_IF_ERROR(CheckToken(access.token));
  return access;
}

ServerOptions ForBackend(ServerOptions options, const std::string& backend) {
  options.gpu = backend == "cuda";
  return options;
}

LocalServerOptions ToLocal(const ServerOptions& options) {
  return {.threads = options.threads.value_or(0), .memory_mib = options.memory_mib.value_or(0), .gpu = options.gpu};
}

}  // namespace deconvoy::client
