// Wiener's filter.
//
//   x^ = (y - b)^ conj h^ / (|h^|^2 + nsr)
//
// x estimate, y measured photons, b background, h^ transform of the PSF (sum 1). Noise model: Gaussian. Boundary:
// MIRROR or PERIODIC; the surroundings cannot be estimated in one step. Zero rule: nsr > 0. Where nsr is not given it
// is that of photon noise: the mean of y over its variance beyond the mean, from 1e-4 to 1, the same for all tiles.
// Where it is automatic it is that of each shell of frequencies, over a signal of at least 1e-6
// (worker/calibration/signal_to_noise.h).
//
// N. Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949).
//
// 2 transforms. Memory: worker/methods/linear_filter.h.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class Wiener final : public DescribedMethod {
 public:
  Wiener();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
