// Fast iterative shrinkage-thresholding: ista with momentum.
//
//   x <- W* S W ( p + g H* m (y - b - H p) ),   p = x + (t - 1)/t' (x - x_previous)
//
// in the terms of worker/methods/shrinkage.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided.
//
// A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009) 183.
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/shrinkage.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class Fista final : public DescentMethod {
 public:
  Fista();
  absl::Status ReviewFrame(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
