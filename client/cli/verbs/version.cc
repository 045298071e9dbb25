// deconvoy version: of this program, and of the server where one is configured.
#include <fmt/format.h>

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/options/server_options.h"
#include "client/cli/session.h"
#include "client/cli/verbs/verbs.h"
#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct VersionOptions {
  ServerOptions server;
};

constexpr char kExamples[] = "  deconvoy version --server localhost:7450";

absl::Status Show(const VersionOptions& options, const Console& console) {
  nlohmann::json json = {{"client", {{"version", DECONVOY_VERSION}, {"contract_version", limits::kContractVersion}}}};
  console.Say(VersionText());
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options.server));
  if (server) {
    ASSIGN_OR_RETURN(const Client client, ConnectTo(*server, options.server));
    const v1::ServerInfo& info = client.server();
    console.Say(fmt::format("deconvoyd {} (contract {}) at {}", Printable(info.version()), info.contract_version(),
                            Printable(*server)));
    json["server"] = ToJson(info);
  }
  if (console.json) console.Json(json);
  return absl::OkStatus();
}

}  // namespace

void AddVersion(CLI::App& root, Program& program) {
  AddVerb<VersionOptions>(
      root, program, "version", "Print the version of the client, and of the server where one is configured.",
      kExamples,
      [&program](CLI::App& verb, VersionOptions& options) {
        verb.add_option(
                "--server", options.server.server,
                "Server to ask: localhost:7450 or unix:/path. Without it $DECONVOY_SERVER, then the settings file")
            ->type_name("ADDRESS");
        AddJsonOption(verb, program.console);
      },
      [&program](const VersionOptions& options) { return Show(options, program.console); });
}

}  // namespace deconvoy::client
