// What the methods that keep few wavelet coefficients have in common.
//
//   x <- W* S W ( p + g H* m (y - b - H p) ),   starting with such a step from p = 0
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1, none negative), m mask of the
// measured voxels (0 in the margin), g the step, W an orthonormal wavelet transform (worker/ops/backend.h), S draws
// fine coefficients towards 0 by g lambda / 2. It minimises
//   |m (y - b - H x)|^2 + lambda |W x|_1,   the coarse coefficients left out of the norm.
//
// lambda is a number of photons; where it is not given it is half the root of the mean of y, the noise of a mean voxel.
// Scales begin at voxels of the frame whose positions are multiples of 2^scales, so that tiles agree. The curvature is
// at most 1.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Adds iterations, step, wavelet, scales, lambda and objective, boundaries, noise model, transforms and memory: per
// padded voxel OTF 4, x 4, with `accelerated` 4 more, spectrum 4 and their gaps 0.3.
void DescribeShrinkage(v1::Method& method, bool accelerated);

// Whether frames of such extents have so many scales: the coarsest box must have two voxels along its longest axis.
// Smaller tiles are split as often as they can be. Errors: INVALID_FIELD, with the bound.
absl::Status CheckScales(const Parameters& parameters, const Shape3& frame);

// p = x, or where `accelerated` x + (t - 1)/t' (x - x_previous), t' = (1 + sqrt(1 + 4 t^2)) / 2, t = 1 at first.
// Errors: INVALID_FIELD for a step above the bound (2, or 1 where accelerated); those of Ops and the monitor.
absl::StatusOr<std::unique_ptr<Array>> ShrinkIteratively(const Problem& problem, const Parameters& parameters,
                                                         bool accelerated, Monitor& monitor);

}  // namespace deconvoy::worker
