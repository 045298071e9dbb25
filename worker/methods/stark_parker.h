// Bounded-variable least squares.
//
//   x <- min(max(p + g H* m (y - b - H p), 0), upper)
//
// in the terms of worker/methods/gradient.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided.
//
// P. B. Stark and R. L. Parker, Comput. Stat. 10 (1995) 129.
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/gradient.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class StarkParker final : public DescentMethod {
 public:
  StarkParker();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
