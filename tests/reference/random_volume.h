// Volumes for tests, from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <utility>

#include "tests/reference/reference.h"

namespace deconvoy::reference {

// Values in [low, high).
inline Volume RandomVolume(int64_t nz, int64_t ny, int64_t nx, double low, double high, std::mt19937_64& random) {
  Volume volume(nz, ny, nx);
  std::uniform_real_distribution<double> uniform(low, high);
  for (double& value : volume.values) value = uniform(random);
  return volume;
}

// Photons: a dim background with some bright voxels.
inline Volume RandomImage(int64_t nz, int64_t ny, int64_t nx, std::mt19937_64& random) {
  Volume volume = RandomVolume(nz, ny, nx, 20, 40, random);
  std::uniform_int_distribution<int> one_in_ten(0, 9);
  for (double& value : volume.values) {
    if (one_in_ten(random) == 0) value *= 10;
  }
  return volume;
}

// As the worker is given it.
inline Volume InSinglePrecision(Volume volume) {
  for (double& value : volume.values) value = static_cast<float>(value);
  return volume;
}

// Not symmetric on any axis, sum 1, its origin off the centre.
inline Psf RandomPsf(int64_t nz, int64_t ny, int64_t nx, std::mt19937_64& random) {
  Psf psf{.h = RandomVolume(nz, ny, nx, 0, 1, random), .cz = nz / 3, .cy = (2 * ny) / 3, .cx = nx / 3};
  psf.h.at(psf.cz, psf.cy, psf.cx) += 0.2 * static_cast<double>(psf.h.size());
  double sum = 0;
  for (const double value : psf.h.values) sum += value;
  for (double& value : psf.h.values) value /= sum;
  psf.h = InSinglePrecision(std::move(psf.h));
  return psf;
}

}  // namespace deconvoy::reference
