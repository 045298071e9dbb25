// A specimen under a Gaussian PSF and photon noise, on the CPU's operations.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "proto/contract/simulation.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/calibration/sample.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::testing {

inline double Correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

class Silent final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    last = iteration.done;
    return absl::OkStatus();
  }
  int64_t last = 0;
};

// PERIODIC, so that the domain is the volume.
class Scene {
 public:
  Scene(const Shape3& extents, double peak_photons, uint64_t seed, double background = 2) : shape(extents) {
    v1::VoxelSize voxel, fwhm;
    for (auto* size : {&voxel, &fwhm}) {
      size->set_z_um(1);
      size->set_y_um(1);
      size->set_x_um(1);
    }
    fwhm.set_z_um(5);
    fwhm.set_y_um(3.2);
    fwhm.set_x_um(3.2);
    const GaussianPsf psf = MakeGaussianPsf(fwhm, voxel, GaussianPsfShape(fwhm, voxel).value());
    truth = DrawSpecimen({.shape = shape, .kind = v1::MIXED, .seed = seed});
    std::vector<float> image = truth;
    Blur(psf, shape, /*periodic=*/true, 1, image);
    const auto scale = static_cast<float>(peak_photons / *std::max_element(image.begin(), image.end()));
    for (auto* values : {&truth, &image}) {
      for (float& value : *values) value *= scale;
    }
    photons.resize(image.size());
    Expose({.background_photons = background, .type = v1::F32, .seed = seed}, image, 0,
           std::as_writable_bytes(std::span(photons)));
    ops = backend->Open(shape).value();
    const Shape3 extent = psf.shape();
    otf = ops->MakeOtf(psf.Values(), extent, {extent.z / 2, extent.y / 2, extent.x / 2}).value();
    y = ops->Allocate({{}, shape}).value();
    problem = {.ops = ops.get(),
               .otf = otf.get(),
               .measured = y.get(),
               .boundary = v1::PERIODIC,
               .background = static_cast<float>(background)};
    Reset();
  }

  // Brings `photons` back, and their mean and variance.
  void Reset() {
    const auto n = static_cast<double>(photons.size());
    const double mean = std::accumulate(photons.begin(), photons.end(), 0.0) / n;
    double squares = 0;
    for (const float value : photons) squares += (value - mean) * (value - mean);
    problem.mean = static_cast<float>(mean);
    problem.variance = static_cast<float>(squares / n);
    EXPECT_OK(ops->Upload(photons, y->box(), *y));
  }

  CalibrationSample sample() { return {problem, y.get(), shape}; }

  std::vector<float> Values(const Array& array) const {
    std::vector<float> values(static_cast<size_t>(array.box().shape.voxels()));
    EXPECT_OK(ops->Download(array, array.box(), values));
    return values;
  }

  // Correlation of a method's result with the truth.
  double Quality(const std::string& method, const std::map<std::string, std::string>& parameters) {
    const Method& known = *FindMethod(method);
    Silent silent;
    const auto x = known.Run(problem, ResolveParameters(known.description(), parameters).value(), silent);
    EXPECT_OK(x.status());
    return Correlation(Values(**x), truth);
  }

  const Shape3 shape;
  std::vector<float> truth, photons;
  std::unique_ptr<Backend> backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Otf> otf;
  std::unique_ptr<Array> y;
  Problem problem;
};

}  // namespace deconvoy::worker::testing
