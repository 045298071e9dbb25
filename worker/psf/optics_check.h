// Whether a PSF can be one of the optics that it is said to come from.
//
// Widths are compared with those of the PSF that the optics give on the same voxels (worker/psf/theory/microscope.h),
// so that what a voxel's extent and a pinhole do to them is the same in both. A width is that at half maximum of the
// Gaussian that fits the line through the maximum best where it exceeds 30 % of it (least squares of the logarithm,
// weighted by the squared values), along one axis. Optics tell none on voxels of more than two of their shortest
// periods along y or x, nor along z where planes are further apart than two of those.
//
//   too broad     along y or x more than 1.3 times the optics' width, or along z more than 1.7 times
//   too narrow    along any axis less than 0.75 times
//   undersampled  voxels of more than twice Nyquist's along y or x, or more than 2.5 times along z
//
// Nyquist's voxels are half the shortest period that the optics pass: wavelength / (4 NA) along y and x, wavelength /
// (2 (n - sqrt(n^2 - NA^2))) along z. The wavelength is the emission's; where a focus is scanned the excitation's, and
// half of that with two photons. A depletion shortens the one sideways by sqrt(1 + saturation).
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/check.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {

// Along z, y, x; in um.
struct OpticsComparison {
  std::array<std::optional<double>, 3> measured_um;  // widths; none along an axis that has too few voxels for one
  std::array<std::optional<double>, 3> expected_um;
  std::array<double, 3> nyquist_um = {};
  std::vector<PsfDefect> defects;
};

// Compares a PSF on voxels of these sizes (z, y, x) with those of `microscope`. REQUIRES: finite values in z,y,x order,
// their sum positive; voxels above 0; the optics valid (proto/contract/model_psf.h).
OpticsComparison CompareWithOptics(std::span<const float> values, const Shape3& shape,
                                   const std::array<double, 3>& voxel_um, const Microscope& microscope);

// For people: `0.61 x 0.21 x 0.21 um`, `-` for what is not known.
std::string WidthsText(const std::array<std::optional<double>, 3>& um);

}  // namespace deconvoy::worker
