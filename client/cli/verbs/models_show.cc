// deconvoy models show: what is known of a model.
#include <fmt/format.h>

#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <string>

#include "client/cli/json.h"
#include "client/cli/model_library.h"
#include "client/cli/model_names.h"
#include "client/cli/options/output_options.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ShowOptions {
  std::string model;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models show rln-gfp
      the newest version: what it is for, how it was trained, how good it is
  deconvoy models show rln-gfp@2 --json
      the second one, for programs)";

std::string Hex(const std::string& bytes) {
  std::string text;
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(text));
  return text.empty() ? "not known" : text;
}

std::string FormatText(v1::ModelFormat format) {
  return format == v1::TORCHSCRIPT ? "TorchScript, a program" : "safetensors";
}

void SayFacts(const v1::ModelFacts& facts, const Console& console) {
  const v1::VoxelSize& voxel = facts.voxel_size();
  console.Say(fmt::format("network: {}, {} parameters{}", Printable(facts.network()), facts.parameters(),
                          facts.head() == v1::PROBABILISTIC ? ", tells how sure it is" : ""));
  console.Say(fmt::format("file: {} bytes, {}, SHA-256 {}", facts.size_bytes(), FormatText(facts.format()),
                          Hex(facts.digest())));
  console.Say("PSF: " + Hex(facts.psf_digest()));
  console.Say(fmt::format("voxels: {:g} x {:g} x {:g} um", voxel.z_um(), voxel.y_um(), voxel.x_um()));
  console.Say(fmt::format("seen: percentiles {:g} and {:g} of the image become 0 and 1",
                          facts.normalisation().low_percentile(), facts.normalisation().high_percentile()));
  console.Say(fmt::format("halo: {} x {} x {} voxels", facts.halo().z(), facts.halo().y(), facts.halo().x()));
  if (!facts.descriptor_text().empty()) {
    console.Say(fmt::format("extents: multiples of {} x {} x {} voxels", facts.multiple().z(), facts.multiple().y(),
                            facts.multiple().x()));
    console.Say("descriptor: " + Printable(facts.descriptor_text()));
  }
  if (!facts.code_version().empty()) console.Say("trained by: deconvoy " + Printable(facts.code_version()));
  if (!facts.recipe().empty()) console.Say("recipe: " + Printable(facts.recipe()));
}

void SayTraining(const v1::ModelFacts& facts, const Console& console) {
  for (const v1::TrainingPoint& point : facts.training().points()) {
    console.Say(fmt::format("step {}: loss {:.4g}, on held back specimens {:.4g}{}", point.step(), point.loss(),
                            point.held_back_loss(), point.step() == facts.training().best_step() ? " (kept)" : ""));
  }
  for (const v1::ModelQuality& quality : facts.quality()) console.Say(QualityLine(quality));
}

absl::Status Show(const ShowOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string name, ModelArgument(options.model));
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Model model, client.GetModel(name));
  if (console.json) {
    console.Json(ToJson(model));
    return absl::OkStatus();
  }
  console.Say("model: " + ShortModelName(model.name()));
  if (!model.description().empty()) console.Say("description: " + Printable(model.description()));
  console.Say("created: " + TimeText(model.create_time()));
  console.Say("volume: " + Printable(model.volume()));
  SayFacts(model.facts(), console);
  SayTraining(model.facts(), console);
  return absl::OkStatus();
}

}  // namespace

void AddModelsShow(CLI::App& group, Program& program) {
  AddVerb<ShowOptions>(
      group, program, "show", "Show what is known of a model.", kExamples,
      [&program](CLI::App& verb, ShowOptions& options) {
        verb.add_option("MODEL", options.model, "NAME for its newest version, or NAME@N")
            ->type_name("MODEL")
            ->required();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const ShowOptions& options) { return Show(options, program.console); });
}

}  // namespace deconvoy::client
