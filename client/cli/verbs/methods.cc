// deconvoy methods: what can be computed.
#include "client/cli/methods.h"

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/options/server_options.h"
#include "client/cli/session.h"
#include "client/cli/verbs/verbs.h"
#include "client/cpp/client.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct MethodsOptions {
  std::string name;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy methods
      all methods, one line each
  deconvoy methods rl
      its parameters with defaults, ranges and meaning)";

absl::StatusOr<std::vector<v1::Method>> Known(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options));
  if (!server) return InstalledMethods();
  ASSIGN_OR_RETURN(const Client client, ConnectTo(*server, options));
  return client.ListMethods();
}

absl::Status Show(const MethodsOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(auto methods, Known(options.server));
  const bool one = !options.name.empty();
  if (one) {
    ASSIGN_OR_RETURN(const v1::Method found, FindMethod(methods, options.name));
    methods = {found};
  }
  for (const v1::Method& method : methods)
    if (console.json) console.Json(ToJson(method));
  for (const std::string& line : one ? MethodDetails(methods.front()) : MethodList(methods)) console.Say(line);
  return absl::OkStatus();
}

}  // namespace

void AddMethods(CLI::App& root, Program& program) {
  AddVerb<MethodsOptions>(
      root, program, "methods", "Show methods and their parameters.", kExamples,
      [&program](CLI::App& verb, MethodsOptions& options) {
        verb.add_option("NAME", options.name, "One method, with everything about it")->type_name("NAME");
        CLI::Option* server =
            verb.add_option(
                    "--server", options.server.server,
                    "Ask a server: localhost:7450 or unix:/path. Without it $DECONVOY_SERVER, then the settings "
                    "file, else the worker program on this machine")
                ->type_name("ADDRESS");
        verb.add_flag("--local", options.server.local, "Ask the worker program on this machine")->excludes(server);
        AddJsonOption(verb, program.console);
      },
      [&program](const MethodsOptions& options) { return Show(options, program.console); });
}

}  // namespace deconvoy::client
