// deconvoy-bench iteration: one iteration of Richardson-Lucy, all updates included, against four transforms of FFTW in
// the same run, each timed in turn; and the memory of the method, as growth of the resident set.
#include <absl/strings/numbers.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tests/bench/commands.h"
#include "tests/bench/engine.h"
#include "tests/bench/fftw_baseline.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  int repeats = 7;
  bool baseline = true;
  std::string baseline_padded = "same";
  std::string wisdom;
};

// `Z,Y,X`; nothing where it is something else.
std::optional<Shape3> ParseShape(const std::string& text) {
  std::vector<int64_t> zyx;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (int64_t extent = 0; absl::SimpleAtoi(part, &extent) && extent > 0) zyx.push_back(extent);
  }
  if (zyx.size() != 3 || absl::StrJoin(zyx, ",") != text) return std::nullopt;
  return ToShape(zyx);
}

Shape3 BaselineShape(const Options& options) {
  return ParseShape(options.baseline_padded).value_or(PaddedShape(options.what));
}

std::string CheckBaselineShape(const std::string& text) {
  return text == "same" || ParseShape(text) ? "" : text + " is neither `same` nor Z,Y,X";
}

nlohmann::json Measure(const Options& options) {
  const Shape3 padded = PaddedShape(options.what), baseline_shape = BaselineShape(options);
  std::optional<FftwBaseline> baseline;
  if (options.baseline) baseline.emplace(baseline_shape, options.what.threads, options.wisdom);
  const auto backend = MakeBackend(options.what.threads);

  const int64_t resident_before = ResidentBytes();
  Engine engine(*backend, options.what);
  int64_t resident = 0;
  std::vector<double> transforms;
  IterationTimer timer([&] {
    resident = std::max(resident, ResidentBytes());
    if (!baseline) return;
    const auto start = Clock::now();
    baseline->FourTransforms();
    transforms.push_back(SecondsSince(start));
  });
  engine.Run(options.repeats + IterationTimer::kWarmUp, timer);

  const std::vector<double> iterations = timer.AfterWarmUp();
  if (!transforms.empty()) transforms.erase(transforms.begin(), transforms.begin() + IterationTimer::kWarmUp);
  const double iteration = Median(iterations), four = Median(transforms);
  const auto voxels = static_cast<double>(padded.voxels());
  nlohmann::json result = {{"shape", options.what.shape},
                           {"psf", options.what.psf},
                           {"psf_kind", options.what.psf_kind},
                           {"padded", {padded.z, padded.y, padded.x}},
                           {"boundary", options.what.boundary},
                           {"acceleration", options.what.acceleration},
                           {"threads", options.what.threads},
                           {"repeats", options.repeats},
                           {"iteration_seconds", iterations},
                           {"seconds_per_iteration", iteration},
                           {"planning_seconds", engine.open_seconds()},
                           {"bytes_per_padded_voxel", static_cast<double>(resident - resident_before) / voxels},
                           {"nanoseconds_per_padded_voxel", iteration / voxels * 1e9},
                           {"device", backend->device()}};
  if (baseline) {
    result["baseline_padded"] = {baseline_shape.z, baseline_shape.y, baseline_shape.x};
    result["four_transforms_seconds"] = transforms;
    result["seconds_of_four_transforms"] = four;
    result["fftw_version"] = FftwBaseline::version();
    result["ratio"] = iteration / four;
    result["fftw_planning_seconds"] = baseline->planning_seconds();
  }
  return result;
}

void Report(const nlohmann::json& r) {
  fmt::print("{}\n", r["device"].get<std::string>());
  fmt::print("volume {}  psf {} {}  padded {}  {}, {}, {} threads\n", r["shape"].dump(), r["psf"].dump(),
             r["psf_kind"].get<std::string>(), r["padded"].dump(), r["boundary"].get<std::string>(),
             r["acceleration"].get<std::string>(), r["threads"].get<int>());
  fmt::print("  iteration          {:9.4f} s\n", r["seconds_per_iteration"].get<double>());
  if (r.contains("ratio")) {
    fmt::print("  four transforms    {:9.4f} s   at {}, planned in {:.1f} s\n",
               r["seconds_of_four_transforms"].get<double>(), r["baseline_padded"].dump(),
               r["fftw_planning_seconds"].get<double>());
    fmt::print("  ratio              {:9.3f}\n", r["ratio"].get<double>());
  }
  fmt::print("  planning           {:9.2f} s\n", r["planning_seconds"].get<double>());
  fmt::print("  memory             {:9.2f} bytes per padded voxel\n", r["bytes_per_padded_voxel"].get<double>());
}

}  // namespace

Command AddIteration(CLI::App& root) {
  auto* app = root.add_subcommand("iteration", "one iteration of rl against four transforms of FFTW");
  const auto options = std::make_shared<Options>();
  AddShapeOption(*app, options->what);
  AddCaseOptions(*app, options->what);
  app->add_option("--repeats", options->repeats, "iterations that count")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app->add_flag("--baseline,!--no-baseline", options->baseline, "time FFTW's transforms too");
  app->add_option("--baseline-padded", options->baseline_padded, "size of FFTW's transforms, Z,Y,X, or `same`")
      ->check(CheckBaselineShape)
      ->capture_default_str();
  app->add_option("--wisdom", options->wisdom, "file that keeps the plans of FFTW's transforms");
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
