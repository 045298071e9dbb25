// A specimen that goes on beyond the frame, under a Gaussian PSF and photon noise, and guesses of the PSF.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "proto/contract/simulation.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/crop.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/specimen.h"
#include "worker/methods/method.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker::testing {

inline constexpr double kFwhmZ = 5, kFwhmYx = 3.2;  // of the true PSF, voxels

inline v1::VoxelSize Sizes(double z, double yx) {
  v1::VoxelSize sizes;
  sizes.set_z_um(z);
  sizes.set_y_um(yx);
  sizes.set_x_um(yx);
  return sizes;
}

inline GaussianPsf GaussianOf(double wider) {
  const v1::VoxelSize voxel = Sizes(1, 1), fwhm = Sizes(kFwhmZ * wider, kFwhmYx * wider);
  return MakeGaussianPsf(fwhm, voxel, GaussianPsfShape(fwhm, voxel).value());
}

// The true PSF, or one that is so many times as wide.
inline PreparedPsf Guess(double wider) {
  const GaussianPsf psf = GaussianOf(wider);
  const Shape3 s = psf.shape();
  return {psf.Values(), s, {s.z / 2, s.y / 2, s.x / 2}};
}

class BlurredScene {
 public:
  // `peak`: photons at the brightest voxel, without the background of 2.
  BlurredScene(uint64_t seed, double peak, v1::SpecimenKind kind = v1::MIXED) {
    constexpr double kBackground = 2;
    std::vector<float> wide = DrawSpecimen({.shape = kWhole, .kind = kind, .seed = seed});
    truth = Cropped(wide, kWhole, kInner);
    Blur(GaussianOf(1), kWhole, /*periodic=*/false, 1, wide);
    std::vector<float> image = Cropped(wide, kWhole, kInner);
    const auto scale = static_cast<float>(peak / *std::max_element(image.begin(), image.end()));
    for (float& value : image) value *= scale;
    std::vector<float> photons(image.size());
    Expose({.background_photons = kBackground, .type = v1::F32, .seed = seed}, image, 0,
           std::as_writable_bytes(std::span(photons)));
    ops = backend->Open(kDomain).value();
    y = ops->Allocate({{}, kFrame}).value();
    EXPECT_OK(ops->Upload(photons, y->box(), *y));
    problem = {.ops = ops.get(),
               .measured = y.get(),
               .boundary = v1::EXTEND,
               .background = static_cast<float>(kBackground),
               .mean = static_cast<float>(std::accumulate(photons.begin(), photons.end(), 0.0) /
                                          static_cast<double>(photons.size()))};
  }

  // The frame of an array over the domain.
  std::vector<float> Values(const Array& array) const {
    std::vector<float> values(static_cast<size_t>(kFrame.voxels()));
    EXPECT_OK(ops->Download(array, {{}, kFrame}, values));
    return values;
  }

  static constexpr Shape3 kFrame{20, 56, 56};
  static constexpr Shape3 kDomain{48, 80, 80};  // room for PSFs of 29 x 25 x 25 voxels
  std::vector<float> truth;
  std::unique_ptr<Backend> backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Array> y;
  Problem problem;

 private:
  static constexpr Shape3 kWhole{40, 76, 76};
  static constexpr Box3 kInner{{10, 10, 10}, kFrame};
};

}  // namespace deconvoy::worker::testing
