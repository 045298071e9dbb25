// deconvoy models: training, bringing and keeping models.
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

constexpr char kExamples[] = R"(
Examples:
  deconvoy models train rln-gfp --network rln --psf psfs/gfp-60x --server localhost:7450
      trains a network for a PSF, and keeps it
  deconvoy run raw.tif --psf psfs/gfp-60x --method network --network rln-gfp -o out.tif --server localhost:7450
      applies it
  deconvoy models export rln-gfp -o rln-gfp.safetensors --server localhost:7450
      its file, for another server
  deconvoy models train --help
      options of one of these commands)";

}  // namespace

void AddModels(CLI::App& root, Program& program) {
  CLI::App* group =
      root.add_subcommand("models", "Train, bring and keep models: networks for the method `network`, and denoisers.");
  group->footer(kExamples);
  for (const auto add :
       {AddModelsTrain, AddModelsKeep, AddModelsImport, AddModelsExport, AddModelsList, AddModelsShow, AddModelsDelete})
    add(*group, program);
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
