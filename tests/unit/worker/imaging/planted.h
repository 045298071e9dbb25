// Specimens as a camera with known faults records them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/specimen.h"

namespace deconvoy::worker::testing {

// The light of a specimen, blurred to 6, 3 and 3 voxels' width, with `peak` photons at its brightest voxel.
inline std::vector<float> BlurredSpecimen(const Shape3& shape, uint64_t seed, double peak,
                                          v1::SpecimenKind kind = v1::MIXED) {
  std::vector<float> photons = DrawSpecimen({.shape = shape, .kind = kind, .seed = seed});
  v1::VoxelSize fwhm, voxel;
  fwhm.set_z_um(6);
  fwhm.set_y_um(3);
  fwhm.set_x_um(3);
  voxel.set_z_um(1);
  voxel.set_y_um(1);
  voxel.set_x_um(1);
  Blur(MakeGaussianPsf(fwhm, voxel, {13, 7, 7}), shape, /*periodic=*/true, /*threads=*/1, photons);
  const float most = *std::max_element(photons.begin(), photons.end());
  for (float& v : photons) v *= static_cast<float>(peak) / most;
  return photons;
}

// As whole counts of a 16-bit camera.
inline std::vector<float> Recorded(const Camera& camera, const std::vector<float>& photons) {
  std::vector<std::byte> raw(photons.size() * sizeof(uint16_t));
  Expose(camera, photons, 0, raw);
  std::vector<float> counts(photons.size());
  ToFloat(raw, v1::U16, counts);
  return counts;
}

}  // namespace deconvoy::worker::testing
