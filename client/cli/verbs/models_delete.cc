// deconvoy models delete: versions of a model that nobody needs any more.
#include <fmt/format.h>

#include <string>

#include "client/cli/model_names.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/session.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct RemoveOptions {
  std::string model;
  bool all = false;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models delete rln-gfp@1
      one version and its file; the others keep their numbers
  deconvoy models delete rln-gfp --all
      all of them)";

absl::Status Remove(const RemoveOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string name, ModelArgument(options.model));
  ASSIGN_OR_RETURN(const ModelId model, ParseModelName(name, "model"));
  if ((model.version == 0) != options.all) {
    return UsageError(options.all ? fmt::format("{} is one version, but --all is given", ShortModelName(name))
                                  : fmt::format("{} has every version", name),
                      fmt::format("Give {}@N for one of them, or {} --all.", model.id, model.id));
  }
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  RETURN_IF_ERROR(client.DeleteModel(name));
  console.Say("removed " + ShortModelName(name));
  if (console.json) console.Json({{"event", "removed"}, {"model", name}});
  return absl::OkStatus();
}

}  // namespace

void AddModelsDelete(CLI::App& group, Program& program) {
  AddVerb<RemoveOptions>(
      group, program, "delete", "Remove versions of a model from the server.", kExamples,
      [&program](CLI::App& verb, RemoveOptions& options) {
        verb.add_option("MODEL", options.model, "NAME@N, or NAME with --all")->type_name("MODEL")->required();
        verb.add_flag("--all", options.all, "All versions");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const RemoveOptions& options) { return Remove(options, program.console); });
}

}  // namespace deconvoy::client
