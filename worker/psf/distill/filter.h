// Taking the size of the beads out of a PSF, and smoothing it.
//
// With B the transform of a ball of diameter d, B(q) = 3 (sin q - q cos q) / q^3 at q = pi d abs(k), k in cycles per
// um, the PSF's transform is multiplied by
//
//   (1 + floor) B / (B^2 + floor) . exp(-2 pi^2 s^2 abs(j)^2),    j in cycles per voxel,
//
// Wiener's filter with a constant noise, 1 at zero frequency, and a Gaussian of standard deviation s voxels. The box is
// taken for periodic. The work is that of the voxels times the sum of the extents.
#pragma once

#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct PsfFilter {
  double bead_um = 0;                   // d; 0: beads are points
  double floor = 0.01;                  // above 0; from about 0.3 on it smooths
  double z_um = 0, y_um = 0, x_um = 0;  // voxel size; needed with d
  double smoothing = 0;                 // s

  bool changes() const { return bead_um > 0 || smoothing > 0; }
};

// In place. The sum stays.
void FilterPsf(const PsfFilter& filter, const Shape3& shape, std::vector<float>& psf);

}  // namespace deconvoy::worker
