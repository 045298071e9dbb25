// deconvoy-bench scaling: nanoseconds per voxel and iteration over the size of the domain. Cubes with the boundary
// `periodic`, so that every voxel of the domain is measured and nothing is skipped; extents that transform well.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {
namespace {

constexpr int64_t kExtents[] = {100, 128, 160, 200, 256, 320, 400, 512, 640, 800};
constexpr double kBytesPerVoxel = 25;  // heavy-ball takes up to 21, the pattern and the PSF little

struct Options {
  Case what;
  double largest = 512;  // million voxels
  int repeats = 5;
};

nlohmann::json MeasureCube(const Options& options, int64_t extent) {
  Case cube = options.what;
  cube.boundary = "periodic";
  cube.shape = {extent, extent, extent};
  for (int64_t& psf : cube.psf) psf = std::min(psf, extent);
  const auto backend = MakeBackend(options.what.threads);
  Engine engine(*backend, cube);
  IterationTimer timer;
  engine.Run(options.repeats + IterationTimer::kWarmUp, timer);
  const std::vector<double> seconds = timer.AfterWarmUp();
  const auto voxels = static_cast<double>(extent * extent * extent);
  return {{"extent", extent},
          {"million_voxels", voxels / 1e6},
          {"iteration_seconds", seconds},
          {"seconds_per_iteration", Median(seconds)},
          {"nanoseconds_per_voxel", Median(seconds) / voxels * 1e9},
          {"planning_seconds", engine.open_seconds()}};
}

nlohmann::json Measure(const Options& options) {
  nlohmann::json sizes = nlohmann::json::array(), left_out = nlohmann::json::array();
  for (const int64_t extent : kExtents) {
    const auto voxels = static_cast<double>(extent * extent * extent);
    const auto available = static_cast<double>(AvailableBytes());
    if (voxels > options.largest * 1e6) {
      left_out.push_back({{"extent", extent}, {"why", "larger than --largest"}});
    } else if (voxels * kBytesPerVoxel > available) {
      left_out.push_back({{"extent", extent},
                          {"why", fmt::format("needs {:.1f} GB, {:.1f} GB are free", voxels * kBytesPerVoxel / 1e9,
                                              available / 1e9)}});
    } else {
      sizes.push_back(MeasureCube(options, extent));
    }
  }
  return {{"psf", options.what.psf},
          {"psf_kind", options.what.psf_kind},
          {"acceleration", options.what.acceleration},
          {"threads", options.what.threads},
          {"sizes", sizes},
          {"left_out", left_out}};
}

void Report(const nlohmann::json& r) {
  fmt::print("extent  million voxels  iteration, s  ns per voxel  planning, s\n");
  for (const auto& size : r["sizes"]) {
    fmt::print("{:6}  {:14.1f}  {:12.4f}  {:12.2f}  {:11.2f}\n", size["extent"].get<int64_t>(),
               size["million_voxels"].get<double>(), size["seconds_per_iteration"].get<double>(),
               size["nanoseconds_per_voxel"].get<double>(), size["planning_seconds"].get<double>());
  }
  for (const auto& size : r["left_out"]) {
    fmt::print("{:6}  left out: {}\n", size["extent"].get<int64_t>(), size["why"].get<std::string>());
  }
}

}  // namespace

Command AddScaling(CLI::App& root) {
  auto* app = root.add_subcommand("scaling", "time per voxel and iteration over the size of the domain");
  const auto options = std::make_shared<Options>();
  options->what.psf = {31, 31, 31};
  AddExtents(*app, "--psf", options->what.psf, "PSF")->capture_default_str();
  app->add_option("--psf-kind", options->what.psf_kind)
      ->check(CLI::IsMember({"symmetric", "asymmetric"}))
      ->capture_default_str();
  app->add_option("--acceleration", options->what.acceleration, "parameter of rl")->capture_default_str();
  app->add_option("--threads", options->what.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app->add_option("--largest", options->largest, "largest domain, in million voxels")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app->add_option("--repeats", options->repeats, "iterations that count")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
