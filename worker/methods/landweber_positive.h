// Landweber with positivity.
//
//   x <- max(p + g H* m (y - b - H p), 0)
//
// in the terms of worker/methods/gradient.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided.
//
// D. Sage et al., Methods 115 (2017) 28 (nonnegative least squares).
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/gradient.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class LandweberPositive final : public DescentMethod {
 public:
  LandweberPositive();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
