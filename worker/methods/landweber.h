// Landweber.
//
//   x <- p + g H* m (y - b - H p)
//
// in the terms of worker/methods/gradient.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided.
//
// L. Landweber, Am. J. Math. 73 (1951) 615.
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/gradient.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class Landweber final : public DescentMethod {
 public:
  Landweber();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
