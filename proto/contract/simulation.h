// What server and worker must agree on about a simulation before any voxel is computed.
#pragma once

#include <absl/status/statusor.h>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

// Reach of a Gaussian PSF's box on each side of its centre, in standard deviations.
inline constexpr double kGaussianReach = 3.5;

// Standard deviation of a Gaussian of this full width at half maximum.
double SigmaOfFwhm(double fwhm);

// Shape of the PSF of a simulation without a given one: odd extents that hold `kGaussianReach` standard deviations on
// each side of the centre. Errors: INVALID_FIELD (a width or voxel size that is not positive and finite, field
// `simulate.psf_fwhm` or `simulate.voxel_size`), LIMIT_EXCEEDED (an extent or the number of voxels).
absl::StatusOr<Shape3> GaussianPsfShape(const v1::VoxelSize& fwhm_um, const v1::VoxelSize& voxel_um);

}  // namespace deconvoy
