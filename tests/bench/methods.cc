// deconvoy-bench methods: what an iteration of every method costs, over those of rl on the same domain just before.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/methods/registry.h"
#include "worker/psf/facts.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  int repeats = 7;
};

bool Iterates(const v1::Method& method) {
  for (const v1::Parameter& parameter : method.parameters()) {
    if (parameter.name() == "iterations") return true;
  }
  return false;
}

// One domain, on which every voxel is measured, so that all methods do the same work.
class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), backend_(MakeBackend(options.what.threads)), engine_(*backend_, options.what) {
    const Shape3 shape = ToShape(options.what.psf);
    const Voxel centre{shape.z / 2, shape.y / 2, shape.x / 2};
    psf_ = MakePsf(shape, options.what.psf_kind == "symmetric");
    otf_ = Value(engine_.ops().MakeOtf(psf_, shape, centre));
    facts_ = worker::MeasurePsf(psf_, shape, centre);
  }

  // Seconds of its iterations, or of whole runs where it has none.
  std::vector<double> SecondsOf(const worker::Method& method) {
    if (!Iterates(method.description())) {
      return TimeEach(options_.repeats, [&] { Run(method, {}, silent_); });
    }
    IterationTimer timer;
    Run(method, {{"iterations", std::to_string(options_.repeats + IterationTimer::kWarmUp)}}, timer);
    return timer.AfterWarmUp();
  }

  std::string device() const { return backend_->device(); }

 private:
  class Silent final : public worker::Monitor {
    absl::Status Iterated(const worker::Iteration&) override { return absl::OkStatus(); }
  };

  void Run(const worker::Method& method, const std::map<std::string, std::string>& given, worker::Monitor& monitor) {
    const auto parameters = Value(ResolveParameters(method.description(), given));
    const worker::Problem problem{.ops = &engine_.ops(),
                                  .otf = otf_.get(),
                                  .measured = &engine_.measured(),
                                  .boundary = v1::PERIODIC,
                                  .background = kPatternBackground,
                                  .mean = kPatternMean,
                                  .variance = 2 * kPatternMean,
                                  .psf = facts_,
                                  .differences = {.periodic = true}};
    Value(method.Run(problem, parameters, monitor));
  }

  const Options options_;
  std::unique_ptr<worker::Backend> backend_;
  Engine engine_;
  std::vector<float> psf_;
  std::unique_ptr<worker::Otf> otf_;
  worker::PsfFacts facts_;
  Silent silent_;
};

nlohmann::json Measure(Options options) {
  options.what.boundary = "periodic";
  Bench bench(options);
  const worker::Method& rl = *worker::FindMethod("rl");
  nlohmann::json methods = nlohmann::json::array();
  for (const worker::Method* method : worker::AllMethods()) {
    const double rl_seconds = Median(bench.SecondsOf(rl));  // anew, as the machine's other load changes
    const std::vector<double> seconds = bench.SecondsOf(*method);
    methods.push_back({{"name", method->description().name()},
                       {"iterates", Iterates(method->description())},
                       {"samples_seconds", seconds},
                       {"seconds", Median(seconds)},
                       {"rl_seconds", rl_seconds},
                       {"over_rl", Median(seconds) / rl_seconds},
                       {"transforms", method->description().transforms_per_iteration()}});
  }
  return {{"shape", options.what.shape},
          {"psf", options.what.psf},
          {"psf_kind", options.what.psf_kind},
          {"threads", options.what.threads},
          {"repeats", options.repeats},
          {"device", bench.device()},
          {"methods", methods}};
}

void Report(const nlohmann::json& r) {
  fmt::print("{}\nvolume {}  psf {} {}  periodic, {} threads\n", r["device"].get<std::string>(), r["shape"].dump(),
             r["psf"].dump(), r["psf_kind"].get<std::string>(), r["threads"].get<int>());
  fmt::print("method               iteration, s  over rl  transforms\n");
  for (const auto& method : r["methods"]) {
    fmt::print("{:20} {:12.4f} {:8.2f} {:11}{}\n", method["name"].get<std::string>(), method["seconds"].get<double>(),
               method["over_rl"].get<double>(), method["transforms"].get<int>(),
               method["iterates"].get<bool>() ? "" : "  in all, with its filter");
  }
}

}  // namespace

Command AddMethods(CLI::App& root) {
  auto* app = root.add_subcommand("methods", "an iteration of every method over one of rl");
  const auto options = std::make_shared<Options>();
  AddExtents(*app, "--shape", options->what.shape, "measured volume")->capture_default_str();
  AddExtents(*app, "--psf", options->what.psf, "PSF")->capture_default_str();
  app->add_option("--psf-kind", options->what.psf_kind)
      ->check(CLI::IsMember({"symmetric", "asymmetric"}))
      ->capture_default_str();
  app->add_option("--threads", options->what.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app->add_option("--repeats", options->repeats, "iterations that count")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
