// deconvoy-bench psf: seconds to compute a PSF from optics.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::bench {
namespace {

struct Options {
  int threads = 1;
  int repeats = 5;
};

worker::Microscope OilMicroscope(worker::LightModel model, double ri_sample, double depth_um) {
  worker::Microscope microscope;
  microscope.model = model;
  microscope.emission.na = 1.4;
  microscope.emission.wavelength_um = 0.52;
  microscope.emission.ri_sample = ri_sample;
  microscope.emission.depth_um = depth_um;
  return microscope;
}

nlohmann::json MeasureCase(const std::string& name, const worker::Microscope& microscope, const Shape3& shape,
                           const Options& options) {
  const worker::PsfGrid grid{.shape = shape, .z_um = 0.2, .y_um = 0.065, .x_um = 0.065};
  std::vector<double> seconds;
  for (int i = 0; i < options.repeats; ++i) {
    const Clock::time_point start = Clock::now();
    const std::vector<float> psf = worker::MakePsf(microscope, grid, options.threads);
    seconds.push_back(SecondsSince(start));
  }
  return {{"name", name}, {"shape", {shape.z, shape.y, shape.x}}, {"seconds", seconds}, {"median", Median(seconds)}};
}

nlohmann::json Measure(const Options& options) {
  using worker::LightModel;
  return {{"threads", options.threads},
          {"cases",
           {MeasureCase("vectorial", OilMicroscope(LightModel::kVectorial, 1.515, 0), {128, 128, 128}, options),
            MeasureCase("Gibson-Lanni, 10 um deep", OilMicroscope(LightModel::kScalar, 1.41, 10), {128, 256, 256},
                        options)}}};
}

void Report(const nlohmann::json& r) {
  for (const auto& one : r["cases"]) {
    fmt::print("{:36} {:16} {:.3f} s\n", one["name"].get<std::string>(), one["shape"].dump(),
               one["median"].get<double>());
  }
}

}  // namespace

Command AddPsf(CLI::App& root) {
  auto* app = root.add_subcommand("psf", "time to compute a PSF from optics");
  const auto options = std::make_shared<Options>();
  app->add_option("--threads", options->threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app->add_option("--repeats", options->repeats)->check(CLI::Range(1, 1000))->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
