// deconvoy models list: the models that a server keeps.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/model_names.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ListOptions {
  std::string model;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models list
      the newest version of every model
  deconvoy models list rln-gfp
      all versions of one, newest first)";

// "0.213 (image 0.447)" on the first kind that was judged; "-" where none was.
std::string QualityText(const v1::ModelFacts& facts) {
  if (facts.quality().empty()) return "-";
  return fmt::format("{:.3g} (image {:.3g})", facts.quality(0).nrmse(), facts.quality(0).raw_nrmse());
}

std::vector<std::string> Row(const v1::Model& model) {
  const absl::StatusOr<ModelId> id = ParseModelName(model.name(), "name");
  const v1::VoxelSize& voxel = model.facts().voxel_size();
  return {id.ok() ? ModelName({id->id, 0}) : Printable(model.name()),
          id.ok() ? fmt::to_string(id->version) : "",
          Printable(model.facts().network()),
          fmt::to_string(model.facts().parameters()),
          fmt::format("{:g} x {:g} x {:g}", voxel.z_um(), voxel.y_um(), voxel.x_um()),
          QualityText(model.facts()),
          TimeText(model.create_time()),
          Printable(model.description())};
}

absl::Status List(const ListOptions& options, const Console& console) {
  std::string name;
  if (!options.model.empty()) {
    ASSIGN_OR_RETURN(name, ModelArgument(options.model));
    ASSIGN_OR_RETURN(const ModelId model, ParseModelName(name, "model"));
    if (model.version != 0) {
      return UsageError(fmt::format("{} is one version", ShortModelName(name)),
                        fmt::format("deconvoy models show {}@{} shows it.", model.id, model.version));
    }
  }
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const auto models, client.ListModels(name));
  std::vector<std::vector<std::string>> rows;
  for (const v1::Model& model : models) {
    rows.push_back(Row(model));
    if (console.json) console.Json(ToJson(model));
  }
  SayTable(console, {"MODEL", "VERSION", "NETWORK", "PARAMETERS", "VOXELS (um)", "NRMSE", "CREATED", "DESCRIPTION"},
           rows, "no models (deconvoy models train makes one)");
  return absl::OkStatus();
}

}  // namespace

void AddModelsList(CLI::App& group, Program& program) {
  AddVerb<ListOptions>(
      group, program, "list", "List the models that the server keeps.", kExamples,
      [&program](CLI::App& verb, ListOptions& options) {
        verb.add_option("MODEL", options.model, "NAME, for all its versions")->type_name("MODEL");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const ListOptions& options) { return List(options, program.console); });
}

}  // namespace deconvoy::client
