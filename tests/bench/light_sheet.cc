#include "tests/bench/light_sheet.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/simulation.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/specimen.h"

namespace deconvoy::bench {
namespace {

constexpr double kSigmaZ = 4, kSigmaYX = 1.4;  // voxels
constexpr double kPeakPhotons = 400;

v1::VoxelSize Size(double z, double y, double x) {
  v1::VoxelSize size;
  size.set_z_um(z);
  size.set_y_um(y);
  size.set_x_um(x);
  return size;
}

worker::GaussianPsf MakeLightSheetPsf() {
  const double fwhm_of_sigma = 1 / SigmaOfFwhm(1);
  const v1::VoxelSize voxel = Size(1, 1, 1);
  const v1::VoxelSize fwhm = Size(kSigmaZ * fwhm_of_sigma, kSigmaYX * fwhm_of_sigma, kSigmaYX * fwhm_of_sigma);
  return worker::MakeGaussianPsf(fwhm, voxel, Value(GaussianPsfShape(fwhm, voxel)));
}

Scene MakeScene(const LightSheetOptions& options, bool periodic) {
  const worker::GaussianPsf psf = MakeLightSheetPsf();
  Scene scene;
  scene.shape = {options.shape[0], options.shape[1], options.shape[2]};
  scene.truth = worker::DrawSpecimen({.shape = scene.shape, .kind = v1::MIXED, .seed = options.seed});
  std::vector<float> image = scene.truth;
  worker::Blur(psf, scene.shape, periodic, options.threads, image);
  const auto scale = static_cast<float>(kPeakPhotons / *std::max_element(image.begin(), image.end()));
  for (auto* values : {&scene.truth, &image}) {
    for (float& value : *values) value *= scale;
  }
  scene.photons.resize(image.size());
  worker::Expose({.scale = {}, .background_photons = options.background_photons, .type = v1::F32, .seed = options.seed},
                 image, 0, std::as_writable_bytes(std::span(scene.photons)));
  const Shape3 extent = psf.shape();
  scene.psf = {psf.Values(), extent, {extent.z / 2, extent.y / 2, extent.x / 2}};
  scene.background = static_cast<float>(options.background_photons);
  return scene;
}

nlohmann::json Judge(const Scene& scene, const std::vector<float>& estimate, int iterations) {
  return {{"iterations", iterations},
          {"correlation", Correlation(estimate, scene.truth)},
          {"light", Sum(estimate) / Sum(scene.truth)}};
}

absl::StatusOr<nlohmann::json> MeasureBoundary(const LightSheetOptions& options, v1::Boundary boundary) {
  const Scene scene = MakeScene(options, boundary == v1::PERIODIC);
  const auto backend = MakeBackend(options.threads);
  SceneRunner runner(*backend, scene, boundary);
  const auto run = [&](ParameterTexts parameters, int iterations) {
    parameters["iterations"] = std::to_string(iterations);
    return runner.Run(parameters);
  };
  nlohmann::json fast = nlohmann::json::array(), needed;
  const nlohmann::json plain =
      Judge(scene, Value(run({{"acceleration", "none"}}, options.plain_iterations)), options.plain_iterations);
  for (int k = 2; k <= options.most_iterations; ++k) {
    auto estimate = run(options.parameters, k);
    if (!estimate.ok()) return estimate.status();
    fast.push_back(Judge(scene, *estimate, k));
    if (needed.is_null() && fast.back()["correlation"] >= plain["correlation"]) needed = k;
  }
  return nlohmann::json{{"plain", plain}, {"fast", fast}, {"iterations_needed", needed}};
}

bool IsMissingHere(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  return reason == v1::UNKNOWN_PARAMETER || reason == v1::PARAMETER_OUT_OF_RANGE;
}

}  // namespace

nlohmann::json MeasureLightSheet(const LightSheetOptions& options) {
  nlohmann::json result = {
      {"shape", options.shape}, {"background", options.background_photons}, {"parameters", options.parameters}};
  for (const auto& [name, boundary] : {std::pair("periodic", v1::PERIODIC), std::pair("extend", v1::EXTEND)}) {
    auto measured = MeasureBoundary(options, boundary);
    if (!measured.ok() && IsMissingHere(measured.status())) {
      result.update({{"available", false}, {"why", std::string(measured.status().message())}});
      return result;
    }
    result[name] = Value(std::move(measured));
  }
  result["available"] = true;
  return result;
}

}  // namespace deconvoy::bench
