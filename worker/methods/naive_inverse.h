// The inverse of the blur, kept finite.
//
//   x^ = (y - b)^ conj h^ / max(|h^|^2, epsilon)
//
// x estimate, y measured photons, b background, h^ transform of the PSF (sum 1). Noise model: Gaussian. Boundary:
// MIRROR or PERIODIC; the surroundings cannot be estimated in one step. Zero rule: the denominator is at least epsilon.
// It serves to show what noise does: use any other method.
//
// D. Sage et al., Methods 115 (2017) 28.
//
// 2 transforms. Memory: worker/methods/linear_filter.h.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class NaiveInverse final : public DescribedMethod {
 public:
  NaiveInverse();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
