// Trains a network for a widefield PSF and tells how good it is on specimens that it has not seen, and how long a pass
// takes beside the classical methods. Prints JSON.
#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "tests/bench/measure.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/learned/examples.h"
#include "worker/learned/network.h"
#include "worker/learned/quality.h"
#include "worker/learned/training.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::bench {
namespace {

using namespace worker::learned;
using nlohmann::json;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Oil immersion of NA 1.3 at 520 nm, voxels of 0.25 x 0.1 x 0.1 um: 25 x 31 x 31 voxels of sum 1.
worker::PreparedPsf WidefieldPsf(int threads) {
  worker::Microscope microscope;
  microscope.emission.na = 1.3;
  microscope.emission.wavelength_um = 0.52;
  const worker::PsfGrid grid{{25, 31, 31}, 0.25, 0.1, 0.1};
  return {worker::MakePsf(microscope, grid, threads), grid.shape, {12, 15, 15}};
}

// Ends a training when its time is over.
class Deadline final : public TrainingObserver {
 public:
  explicit Deadline(double seconds) : seconds_(seconds) {}
  absl::Status Stepped(int64_t /*step*/, int64_t /*steps*/) override { return absl::OkStatus(); }
  bool over() const { return SecondsSince(start_) > seconds_; }
  double passed() const { return SecondsSince(start_); }

 private:
  const double seconds_;
  const Clock::time_point start_ = Clock::now();
};

json ToJson(const Quality& quality) {
  return {{"kind", v1::SpecimenKind_Name(quality.kind)},
          {"held_out", quality.held_out},
          {"nrmse", {{"raw", quality.raw_nrmse}, {"rl20", quality.rl_nrmse}, {"model", quality.nrmse}}},
          {"ncc", {{"raw", quality.raw_ncc}, {"rl20", quality.rl_ncc}, {"model", quality.ncc}}}};
}

struct Options {
  Recipe recipe;
  std::string source = "truth";
  int64_t patch = 64, part_steps = 20, specimens = 3;
  int threads = 2;
  double minutes = 30;
  int64_t method_iterations = 200;
  std::string output;
};

// A pass of the model and the classical methods on one held-back specimen of the patch's extents and the PSF's around.
json Times(const Model& model, const Options& options, worker::Backend& backend) {
  Examples examples(options.recipe, backend);
  const Scene scene = Value(examples.HeldBack(v1::MIXED, 1000));
  const auto start = Clock::now();
  const Estimate estimate =
      Value(model.Apply(scene.image, scene.shape, ScaleOf(scene.image, model.facts().percentiles)));
  json times{{"extents", {scene.shape.z, scene.shape.y, scene.shape.x}}, {"model_s", SecondsSince(start)}};
  if (options.recipe.source != Source::kMethod) return times;
  const worker::Method& method = *worker::FindMethod(options.recipe.method);
  const auto parameters = Value(ResolveParameters(method.description(), options.recipe.method_parameters));
  const auto begin = Clock::now();
  const std::vector<float> classical = Value(RunMethod(scene, options.recipe, method, parameters, backend));
  times["method_s"] = SecondsSince(begin);
  times["nrmse_to_method"] =
      NrmseOf(Cut(estimate.value, scene.shape, scene.inner), Cut(classical, scene.shape, scene.inner));
  return times;
}

int Run(Options& options) {
  Recipe& recipe = options.recipe;
  const std::array sources{Source::kTruth, Source::kMethod, Source::kDenoise, Source::kBlindSpot, Source::kDegradation};
  for (const Source source : sources) {
    if (NameOf(source) == options.source) recipe.source = source;
  }
  recipe.patch = {options.patch / 2, options.patch, options.patch};
  recipe.voxel_um = {0.25, 0.1, 0.1};
  recipe.psf = WidefieldPsf(options.threads);
  if (recipe.source == Source::kMethod) {
    recipe.method_parameters = {{"iterations", std::to_string(options.method_iterations)}};
  }
  SetThreads(options.threads);
  const auto backend = worker::MakeCpuBackend({.threads = options.threads, .wisdom_folder = {}});
  Deadline deadline(60 * options.minutes);
  TrainedPart part;
  while (!part.ended && !deadline.over()) {
    const int64_t last = part.point.step + options.part_steps;
    part = Value(TrainPart(recipe, Bytes(part.state), last, *backend, deadline));
    std::fprintf(stderr, "step %ld after %.0f s: training %.5f validation %.5f\n", static_cast<long>(part.point.step),
                 deadline.passed(), part.point.training, part.point.validation);
  }
  const double trained_s = deadline.passed();
  const TrainedModel trained = Value(FinishTraining(recipe, Bytes(part.state), options.specimens, *backend, deadline));
  if (!options.output.empty()) std::ofstream(options.output, std::ios::binary) << trained.file;
  json report{{"recipe", json::parse(worker::learned::ToJson(recipe))},
              {"steps", part.point.step},
              {"best_step", trained.best_step},
              {"training_s", trained_s},
              {"model_bytes", trained.file.size()}};
  for (const CurvePoint& point : trained.curve)
    report["curve"].push_back({point.step, point.training, point.validation});
  for (const Quality& quality : trained.quality) report["quality"].push_back(ToJson(quality));
  const auto model = Value(LoadModel(Bytes(trained.file)));
  if (recipe.source != Source::kDenoise) report["pass"] = Times(*model, options, *backend);
  std::cout << report.dump(1) << '\n';
  return 0;
}

}  // namespace
}  // namespace deconvoy::bench

int main(int argc, char** argv) {
  deconvoy::bench::Options options;
  deconvoy::worker::learned::Recipe& recipe = options.recipe;
  CLI::App app("Trains a network for a widefield PSF and tells how good it is");
  app.add_option("--network", recipe.network, "Network")->capture_default_str();
  app.add_option("--source", options.source, "What it learns from")
      ->check(CLI::IsMember({"truth", "method", "denoise", "blind-spot", "degradation"}))
      ->capture_default_str();
  app.add_option("--method", recipe.method, "With --source method: the method");
  app.add_option("--method-iterations", options.method_iterations, "Its iterations")->capture_default_str();
  app.add_option("--patch", options.patch, "Voxels of a patch along y and x; half along z")->capture_default_str();
  app.add_option("--batch", recipe.batch, "Patches in a step")->capture_default_str();
  app.add_option("--examples", recipe.specimens, "Examples that are drawn")->capture_default_str();
  app.add_option("--steps", recipe.steps, "Steps")->capture_default_str();
  app.add_option("--part", options.part_steps, "Steps of a part")->capture_default_str();
  app.add_option("--minutes", options.minutes, "Ends after so many")->capture_default_str();
  app.add_option("--rate", recipe.learning_rate, "Learning rate")->capture_default_str();
  app.add_option("--seed", recipe.seed, "Seed")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads")->capture_default_str();
  app.add_option("--specimens", options.specimens, "Specimens of each kind that it is judged by")
      ->capture_default_str();
  app.add_option("--output", options.output, "Where the model is written");
  CLI11_PARSE(app, argc, argv);
  try {
    return deconvoy::bench::Run(options);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
