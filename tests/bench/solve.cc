// deconvoy-bench solve: the bare engine on one volume, as a worker runs it with everything in memory: the domain
// opened, OTF made, photons brought in, iterations, the result taken out. What `deconvoy run` is measured against.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  int iterations = 20;
  int repeats = 1;
  std::string wisdom_folder;
};

struct Times {
  double whole = 0;
  double prepare = 0;  // opening, OTF, photons
  double iterate = 0;  // weights and iterations
};

Times SolveOnce(const Options& options, const Content& content) {
  const auto start = Clock::now();
  const auto backend = MakeBackend(options.what.threads, options.wisdom_folder);
  Engine engine(*backend, options.what, content);
  Times times;
  times.prepare = SecondsSince(start);
  IterationTimer timer;
  const auto estimate = engine.Run(options.iterations, timer);
  times.iterate = SecondsSince(start) - times.prepare;
  const Box3& box = engine.measured().box();
  std::vector<float> result(static_cast<size_t>(box.shape.voxels()));
  Check(engine.ops().Download(*estimate, box, result));
  times.whole = SecondsSince(start);
  return times;
}

nlohmann::json Measure(const Options& options) {
  const Content content = MakeContent(options.what);
  std::vector<double> whole, prepare, iterate;
  for (int i = 0; i < options.repeats; ++i) {
    const Times times = SolveOnce(options, content);
    whole.push_back(times.whole);
    prepare.push_back(times.prepare);
    iterate.push_back(times.iterate);
  }
  const Shape3 padded = PaddedShape(options.what);
  return {
      {"shape", options.what.shape},      {"psf", options.what.psf},         {"padded", {padded.z, padded.y, padded.x}},
      {"iterations", options.iterations}, {"threads", options.what.threads}, {"solve_seconds", whole},
      {"prepare_seconds", prepare},       {"iterate_seconds", iterate},      {"seconds", Median(whole)}};
}

void Report(const nlohmann::json& r) {
  fmt::print("volume {}  psf {}  padded {}, {} iterations, {} threads: {:.3f} s\n", r["shape"].dump(), r["psf"].dump(),
             r["padded"].dump(), r["iterations"].get<int>(), r["threads"].get<int>(), r["seconds"].get<double>());
}

}  // namespace

Command AddSolve(CLI::App& root) {
  auto* app = root.add_subcommand("solve", "the bare engine on one volume from beginning to end");
  const auto options = std::make_shared<Options>();
  AddShapeOption(*app, options->what);
  AddCaseOptions(*app, options->what);
  app->add_option("--iterations", options->iterations)->check(CLI::Range(1, 10000))->capture_default_str();
  app->add_option("--repeats", options->repeats)->check(CLI::Range(1, 1000))->capture_default_str();
  app->add_option("--wisdom-folder", options->wisdom_folder, "folder of the worker's plans, for instance `cache`");
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
