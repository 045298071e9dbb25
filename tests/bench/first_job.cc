// deconvoy-bench first-job: what the first job of a new size costs on a machine without plans, and whether its
// iterations are as fast as those of later jobs. Start one process for each sample: FFTW remembers plans in it.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "tests/bench/scratch_folder.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  int iterations = 10;
  int later_jobs = 5;
};

struct Job {
  double open_seconds;
  double seconds_per_iteration;  // from the second on
};

Job RunJob(worker::Backend& backend, const Options& options) {
  Engine engine(backend, options.what);
  IterationTimer timer;
  engine.Run(options.iterations, timer);
  double sum = 0;
  for (const double seconds : timer.seconds) sum += seconds;
  return {engine.open_seconds(), sum / static_cast<double>(timer.seconds.size())};
}

nlohmann::json Measure(const Options& options) {
  const ScratchFolder folder;
  const auto backend = MakeBackend(options.what.threads, folder.path());
  const Job first = RunJob(*backend, options);
  std::vector<double> opens, iterations;
  for (int i = 0; i < options.later_jobs; ++i) {
    const Job later = RunJob(*backend, options);
    opens.push_back(later.open_seconds);
    iterations.push_back(later.seconds_per_iteration);
  }
  const Shape3 padded = PaddedShape(options.what);
  return {{"shape", options.what.shape},
          {"psf", options.what.psf},
          {"padded", {padded.z, padded.y, padded.x}},
          {"threads", options.what.threads},
          {"planning_seconds", first.open_seconds},
          {"later_open_seconds", opens},
          {"first_seconds_per_iteration", first.seconds_per_iteration},
          {"later_seconds_per_iteration", iterations},
          {"ratio", first.seconds_per_iteration / Median(iterations)}};
}

void Report(const nlohmann::json& r) {
  fmt::print("volume {}  psf {}  padded {}, {} threads\n", r["shape"].dump(), r["psf"].dump(), r["padded"].dump(),
             r["threads"].get<int>());
  fmt::print("  planning           {:9.3f} s\n", r["planning_seconds"].get<double>());
  fmt::print("  iteration          {:9.4f} s in the first job, {:.4f} s in later ones\n",
             r["first_seconds_per_iteration"].get<double>(),
             Median(r["later_seconds_per_iteration"].get<std::vector<double>>()));
  fmt::print("  ratio              {:9.3f}\n", r["ratio"].get<double>());
}

}  // namespace

Command AddFirstJob(CLI::App& root) {
  auto* app = root.add_subcommand("first-job", "planning and iterations of the first job of a size");
  const auto options = std::make_shared<Options>();
  AddShapeOption(*app, options->what);
  AddCaseOptions(*app, options->what);
  app->add_option("--iterations", options->iterations, "of each job")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  app->add_option("--later-jobs", options->later_jobs)->check(CLI::Range(1, 1000))->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
