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
#include "tests/support/correlation.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/calibration/sample.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::testing {

using deconvoy::testing::Correlation;

class Silent final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    last = iteration.done;
    return absl::OkStatus();
  }
  int64_t last = 0;
};

// PERIODIC, so that the domain is the volume; or EXTEND, where the specimen goes on beyond the frame.
class Scene {
 public:
  Scene(const Shape3& extents, double peak_photons, uint64_t seed, double background = 2,
        v1::Boundary boundary = v1::PERIODIC)
      : shape(extents) {
    v1::VoxelSize voxel, fwhm;
    for (auto* size : {&voxel, &fwhm}) {
      size->set_z_um(1);
      size->set_y_um(1);
      size->set_x_um(1);
    }
    fwhm.set_z_um(5);
    fwhm.set_y_um(3.2);
    fwhm.set_x_um(3.2);
    const GaussianPsf gaussian = MakeGaussianPsf(fwhm, voxel, GaussianPsfShape(fwhm, voxel).value());
    const Shape3 extent = gaussian.shape();
    const bool extended = boundary == v1::EXTEND;
    const Shape3 drawn =
        extended ? Shape3{shape.z + extent.z - 1, shape.y + extent.y - 1, shape.x + extent.x - 1} : shape;
    truth = DrawSpecimen({.shape = drawn, .kind = v1::MIXED, .seed = seed});
    std::vector<float> image = truth;
    Blur(gaussian, drawn, !extended, 1, image);
    for (auto* values : {&truth, &image}) *values = Middle(*values, drawn);
    const auto scale = static_cast<float>(peak_photons / *std::max_element(image.begin(), image.end()));
    for (auto* values : {&truth, &image}) {
      for (float& value : *values) value *= scale;
    }
    photons.resize(image.size());
    Expose({.background_photons = background, .type = v1::F32, .seed = seed}, image, 0,
           std::as_writable_bytes(std::span(photons)));
    ops = backend->Open(extended ? PaddedShape(drawn) : shape).value();
    psf = gaussian.Values();
    psf_shape = extent;
    otf = ops->MakeOtf(psf, psf_shape, psf_centre()).value();
    y = ops->Allocate({{}, shape}).value();
    problem = {.ops = ops.get(),
               .otf = otf.get(),
               .measured = y.get(),
               .boundary = boundary,
               .background = static_cast<float>(background),
               .differences = {.periodic = !extended}};
    Reset();
  }

  // What of a larger volume lies in the frame.
  std::vector<float> Middle(const std::vector<float>& values, const Shape3& of) const {
    const Box3 box{{(of.z - shape.z) / 2, (of.y - shape.y) / 2, (of.x - shape.x) / 2}, shape};
    std::vector<float> middle(static_cast<size_t>(shape.voxels()));
    size_t i = 0;
    for (int64_t k = box.origin.z; k < box.end().z; ++k) {
      for (int64_t j = box.origin.y; j < box.end().y; ++j) {
        const auto row = static_cast<size_t>((k * of.y + j) * of.x + box.origin.x);
        for (size_t x = 0; x < static_cast<size_t>(shape.x); ++x) middle[i++] = values[row + x];
      }
    }
    return middle;
  }

  // Even, so that transforms are fast enough.
  static Shape3 PaddedShape(const Shape3& least) {
    const auto up = [](int64_t n) { return (n + 3) / 4 * 4; };
    return {up(least.z), up(least.y), up(least.x)};
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

  Voxel psf_centre() const { return {psf_shape.z / 2, psf_shape.y / 2, psf_shape.x / 2}; }

  CalibrationSample sample() { return {problem, y.get(), shape}; }

  // In the frame.
  std::vector<float> Values(const Array& array) const {
    std::vector<float> values(static_cast<size_t>(shape.voxels()));
    EXPECT_OK(ops->Download(array, {{}, shape}, values));
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
  std::vector<float> truth, photons, psf;
  Shape3 psf_shape;
  std::unique_ptr<Backend> backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Otf> otf;
  std::unique_ptr<Array> y;
  Problem problem;
};

}  // namespace deconvoy::worker::testing
