// Spectra of images under a window, and what of them is noise.
//
// Beyond the cutoff of the OTF an image holds only noise, and that of a camera is white. Of y under a window a, with
// its mean m taken away,
//
//   |F(a (y - m))|^2  is there on average  sum of a^2 v,   v the variance of the noise at a voxel.
//
// For photons v = y. Half spectra are in the order of `Ops::ReadMagnitude`.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <vector>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

struct WindowedSpectrum {
  std::vector<float> magnitude;  // |F(a (y - m))| over the half spectrum
  double photon_power = 0;       // sum of a^2 y
};

// Of a box of y; a is sin^4 along each axis, and 0 where `mask`, which may be null, is 0. Memory: 4 bytes per voxel of
// the box, 8 with a mask, 6 per voxel of the domain. REQUIRES: box inside the boxes of y and mask.
absl::StatusOr<WindowedSpectrum> SpectrumUnderWindow(Ops& ops, const Array& y, const Array* mask, const Box3& box);

// The mean of |F|^2 that noise has over the frequencies with |h^| <= 5e-3 above 0.7 of the limit pi along y or x: their
// median over ln 2, as of an exponential distribution, so that what little light is left there does not count. A PSF
// that was cropped to 0.999 of its light keeps |h^| above 1e-3. Nothing where there are fewer than 200 frequencies.
// `passed` is |h^|. Memory: 2 bytes per voxel of the domain.
std::optional<double> NoisePower(const Shape3& domain, const WindowedSpectrum& spectrum,
                                 const std::vector<float>& passed);

}  // namespace deconvoy::worker
