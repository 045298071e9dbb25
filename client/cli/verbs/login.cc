// deconvoy login and logout: a token that later commands show.
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "client/cli/interrupt.h"
#include "client/cli/logins.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/secret.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct LoginOptions {
  ServerOptions server;
};

constexpr char kLoginExamples[] = R"(  deconvoy login --server facility:7450
      asks for the token without showing it, tries it, and keeps it for this server
  deconvoy login --server facility:7450 --tls-root ca.pem --token-file ada.token
      of a server with an authority of its own)";
constexpr char kLogoutExamples[] = R"(  deconvoy logout --server facility:7450
      forgets the token; an administrator revokes it)";

absl::StatusOr<std::filesystem::path> RequireLoginsFile() {
  if (const auto file = LoginsFile()) return *file;
  return UsageError("there is no place to keep a token", "Set $HOME or $XDG_CONFIG_HOME.");
}

std::string Absolute(const std::filesystem::path& file) {
  std::error_code ignored;
  return file.empty() ? "" : std::filesystem::absolute(file, ignored).lexically_normal().string();
}

// The token of --token-file or of the environment, else one that is asked for.
absl::StatusOr<ServerAccess> NewAccess(const std::string& server, const AccessFiles& files,
                                       const std::stop_token& stop) {
  ASSIGN_OR_RETURN(ServerAccess access, ReadAccess(files));
  if (const char* token = std::getenv("DECONVOY_TOKEN"); access.token.empty() && token != nullptr) access.token = token;
  if (access.token.empty()) {
    ASSIGN_OR_RETURN(access.token, ReadSecret(fmt::format("Token for {}: ", Printable(server)), stop));
  }
  RETURN_IF_ERROR(CheckToken(access.token));
  return access;
}

absl::Status LogIn(const LoginOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options.server));
  ASSIGN_OR_RETURN(const std::filesystem::path file, RequireLoginsFile());
  ASSIGN_OR_RETURN(Logins logins, ReadLogins(file));
  const AccessFiles& files = options.server.access;
  ConnectOptions connect;
  const std::stop_token stop = TakeInterrupts();
  ASSIGN_OR_RETURN(connect.access, NewAccess(server, files, stop));
  ASSIGN_OR_RETURN(const Client client, Client::Connect(server, connect, stop));
  logins[server] = {.token = connect.access.token,
                    .tls_root = Absolute(files.tls_root),
                    .tls_certificate = Absolute(files.tls_certificate),
                    .tls_key = Absolute(files.tls_key)};
  RETURN_IF_ERROR(WriteLogins(file, logins));
  const v1::ServerInfo& info = client.server();
  console.Say(fmt::format("logged in to {} as {} ({})", Printable(server), Printable(info.user()),
                          Lower(v1::Role_Name(info.role()))));
  if (console.json) {
    console.Json({{"event", "login"}, {"server", server}, {"user", info.user()}, {"role", v1::Role_Name(info.role())}});
  }
  return absl::OkStatus();
}

absl::Status LogOut(const LoginOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options.server));
  ASSIGN_OR_RETURN(const std::filesystem::path file, RequireLoginsFile());
  ASSIGN_OR_RETURN(Logins logins, ReadLogins(file));
  if (logins.erase(server) == 0)
    return UsageError(fmt::format("nobody is logged in to {}", Printable(server)),
                      "Name the server as it was named to `deconvoy login`.");
  RETURN_IF_ERROR(WriteLogins(file, logins));
  console.Say("logged out of " + Printable(server));
  if (console.json) console.Json({{"event", "logout"}, {"server", server}});
  return absl::OkStatus();
}

void Setup(CLI::App& verb, LoginOptions& options, Program& program) {
  AddServerOption(verb, options.server);
  AddJsonOption(verb, program.console);
}

}  // namespace

void AddLogin(CLI::App& root, Program& program) {
  AddVerb<LoginOptions>(
      root, program, "login", "Keep a token for a server.", kLoginExamples,
      [&program](CLI::App& verb, LoginOptions& options) { Setup(verb, options, program); },
      [&program](const LoginOptions& options) { return LogIn(options, program.console); });
}

void AddLogout(CLI::App& root, Program& program) {
  AddVerb<LoginOptions>(
      root, program, "logout", "Forget the token for a server.", kLogoutExamples,
      [&program](CLI::App& verb, LoginOptions& options) { Setup(verb, options, program); },
      [&program](const LoginOptions& options) { return LogOut(options, program.console); });
}

}  // namespace deconvoy::client
