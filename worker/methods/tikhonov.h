// Tikhonov regularised inverse: minimises |y - b - H x|^2 + lambda |x|^2.
//
//   x^ = (y - b)^ conj h^ / (|h^|^2 + lambda)
//
// x estimate, y measured photons, b background, h^ transform of the PSF (sum 1). Noise model: Gaussian. Boundary:
// MIRROR or PERIODIC; the surroundings cannot be estimated in one step. Zero rule: lambda > 0.
//
// A. N. Tikhonov and V. Y. Arsenin, Solutions of Ill-Posed Problems (1977).
//
// 2 transforms. Memory: worker/methods/linear_filter.h.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class Tikhonov final : public DescribedMethod {
 public:
  Tikhonov();
  std::vector<float> PenaltyOf(const Shape3& domain) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
