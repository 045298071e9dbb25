// Iterative constrained Tikhonov-Miller.
//
//   x <- max(p + g ( H* m (y - b - H p) - lambda L*L p ), 0)
//
// in the terms of worker/methods/gradient.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided.
//
// G. M. P. van Kempen et al., J. Microsc. 185 (1997) 354.
//
// 6 transforms per iteration and as many to start. Memory: worker/methods/gradient.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class IterativeConstrainedTikhonovMiller final : public DescentMethod {
 public:
  IterativeConstrainedTikhonovMiller();
  absl::Status ReviewFrame(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
