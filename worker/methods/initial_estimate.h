// Where iterative methods start.
//
//   mean      the mean of y, m, everywhere
//   image     y on the measured box, c in the margin
//   wiener    max(m - b + W (f - m), 0.01 m) everywhere, f being y on the measured box and c in the margin;
//             W^ = conj h^ / (|h^|^2 + r), scaled to 1 at zero frequency
//   previous  an estimate that is given on the measured box, m in the margin; m where none is given
//
// c continues the image: c = H*(k y) / w with k the mask of the measured voxels and w = H* k, where w >= 0.01, else m.
// A step from the image down to the mean would leave a bright rim that a back projector other than H* makes worse.
//
// b background; r noise over signal: m / (variance of y - m), kept in [1e-4, 1], since the variance of a Poisson
// variable is its mean. Mean and variance are those of the whole frame, so that tiles agree.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Adds the parameter `initial`: `mean` (default), `image`, `wiener` or `previous`.
void AddInitialEstimate(v1::Method& method);

// r of `wiener`.
float NoiseToSignal(float mean, float variance);

// An array over the whole domain.
absl::StatusOr<std::unique_ptr<Array>> InitialEstimate(const Problem& problem, const Parameters& parameters);

}  // namespace deconvoy::worker
