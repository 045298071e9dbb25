// deconvoy-bench resolution: what every method, with its defaults, tells apart on simulated stacks
// (tests/reference/resolution.h).
#include "tests/reference/resolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "tests/reference/engine.h"
#include "worker/methods/registry.h"

namespace deconvoy::bench {
namespace {

struct Options {
  uint64_t seed = 1;
  double peak_photons = 400;
  int threads = 2;
  std::vector<std::string> methods;
};

nlohmann::json Row(const std::string& name, const reference::ResolutionFigures& figures) {
  nlohmann::json dips = nlohmann::json::array();
  for (const auto& [distance, dip] : figures.dips) {
    dips.push_back(
        {{"rayleigh", static_cast<double>(distance) / static_cast<double>(reference::kRayleighVoxels)}, {"dip", dip}});
  }
  return {{"name", name},
          {"dips", dips},
          {"bead_x", figures.bead_x},
          {"bead_z", figures.bead_z},
          {"wall", figures.wall},
          {"middle", figures.middle},
          {"light", figures.light}};
}

nlohmann::json Measure(const Options& options) {
  const reference::ResolutionTest test(options.seed, options.peak_photons);
  nlohmann::json rows = {Row("the truth", test.OfTruth()), Row("the image", test.OfImage())};
  for (const worker::Method* method : worker::AllMethods()) {
    const std::string& name = method->description().name();
    if (!options.methods.empty() &&
        std::find(options.methods.begin(), options.methods.end(), name) == options.methods.end()) {
      continue;
    }
    rows.push_back(Row(name, test.Measure([&](const reference::Volume& image) {
      return Value(reference::RunMethod(name, {.y = image,
                                               .domain = {image.nz, image.ny, image.nx},
                                               .origin = {},
                                               .psf = test.psf(),
                                               .parameters = {},
                                               .boundary = v1::PERIODIC,
                                               .variance = reference::VarianceOf(image),
                                               .threads = options.threads}));
    })));
  }
  return {{"seed", options.seed}, {"peak_photons", options.peak_photons}, {"rows", rows}};
}

void Report(const nlohmann::json& r) {
  fmt::print("brightest voxel {} photons, seed {}; dips by distance over the Rayleigh distance, widths in voxels\n",
             r["peak_photons"].get<double>(), r["seed"].get<uint64_t>());
  fmt::print("{:20}", "");
  for (const auto& dip : r["rows"][0]["dips"]) fmt::print(" {:5.1f}", dip["rayleigh"].get<double>());
  fmt::print("  bead x bead z   wall middle  light\n");
  for (const auto& row : r["rows"]) {
    fmt::print("{:20}", row["name"].get<std::string>());
    for (const auto& dip : row["dips"]) fmt::print(" {:5.2f}", dip["dip"].get<double>());
    for (const char* figure : {"bead_x", "bead_z", "wall", "middle"}) fmt::print(" {:6.2f}", row[figure].get<double>());
    fmt::print(" {:6.3f}\n", row["light"].get<double>());
  }
}

}  // namespace

Command AddResolution(CLI::App& root) {
  auto* app = root.add_subcommand("resolution", "what every method tells apart on simulated stacks");
  const auto options = std::make_shared<Options>();
  app->add_option("--seed", options->seed, "of the noise")->capture_default_str();
  app->add_option("--peak-photons", options->peak_photons, "in the brightest voxel of an image")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app->add_option("--threads", options->threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app->add_option("--method", options->methods, "only these methods");
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
