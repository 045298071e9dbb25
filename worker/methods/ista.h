// Iterative shrinkage-thresholding.
//
//   x <- W* S W ( x + g H* m (y - b - H x) )
//
// in the terms of worker/methods/shrinkage.h. Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too,
// MIRROR and PERIODIC have m = 1 everywhere. Zero rule: nothing is divided. The objective never rises.
//
// I. Daubechies, M. Defrise and C. De Mol, Commun. Pure Appl. Math. 57 (2004) 1413; C. Vonesch and M. Unser, IEEE
// Trans. Image Process. 17 (2008) 539.
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/shrinkage.h.
#pragma once

#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class Ista final : public DescentMethod {
 public:
  Ista();
  absl::Status ReviewFrame(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
