// Richardson-Lucy on several registered views of one specimen.
//
//   additive         x <- mean over v of p f_v(p)
//   ordered-subset   x <- p f_1(p), then x <- x f_v(x) for the views v = 2, 3, ... in turn: one iteration
//
//   f_v(p) = 1/w_v . H_v*( m_v y_v / max(H_v p + b_v, e mean y) ),   w_v = H_v* m_v,   1 where w_v < 0.01
//
// x estimate, y_v measured photons of view v, b_v its background, H_v convolution with its PSF (sum 1), m_v mask of its
// measured voxels (0 in the margin), e = 1e-6, mean y that of all views. p = x, or with heavy-ball
// p = max(x + a (x - x_previous), 0.1 x), a = (k - 1)/(k + 2) in iteration k = 1, 2, ...: once per iteration, also
// where the views take turns.
//
// Where the views agree the additive update rests at the maximum of their common likelihood; the ordered one goes about
// as many times as far in an iteration as there are views, and ends in a small circle around it. Views lie on the same
// voxels, as bright as one another: registration and scale are not estimated.
//
// Noise model: Poisson. Boundary: as rl. Zero rule: as rl. The objective is the sum over the views of the I-divergence
// of y_v from H_v p + b_v; in turns that of each view where its step begins.
//
// S. Preibisch et al., Nat. Methods 11 (2014) 645; M. Ingaramo et al., ChemPhysChem 15 (2014) 794; turns: H. M. Hudson
// and R. S. Larkin, IEEE Trans. Med. Imaging 13 (1994) 601.
//
// 4 transforms per iteration and view. Memory: per padded voxel spectrum 4, x 4, step 4, next 4, gaps 0.3, with
// heavy-ball 4 for x_previous; for each view an OTF 4.3; per measured voxel and view y 4; per weight and view 4.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RlMultiview final : public DescribedMethod {
 public:
  RlMultiview();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
