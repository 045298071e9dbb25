// Richardson-Lucy.
//
//   x <- p / w . B( m y / max(H p + b, e mean y) ),   w = B m,   no update where w < 0.01
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1), B its adjoint H* or what
// `back_projector` names in its place (worker/methods/back_projector.h), m mask of the measured voxels (0 in the
// margin), e = 1e-6. The point p that the step is taken from is
//   none           p = x
//   heavy-ball     p = max(x + a (x - x_previous), 0.1 x),  a = (k - 1)/(k + 2) in iteration k = 1, 2, ...
//   biggs-andrews  the same with a = <g', g''> / <g'', g''> in [0, 1] from the third iteration, 0 before; g' is the
//                  change x - p by the last iteration, g'' that by the one before
// The floor of 0.1 x keeps voxels from locking at zero. x starts as worker/methods/initial_estimate.h says.
//
// A back projector other than H* has negative lobes, enlarges the noise of dark voxels, and is not the adjoint of
// anything that would keep the iteration from growing. Iterations with it therefore
//   - keep the estimate at or above 1e-3 mean y where they change it,
//   - take x <- p (1 + B q - w) where w < 1, q being the quotient: what was not measured counts as explained,
//   - use q = m (y + r) / max(H p + b + r, e mean y), which raises data and model alike so that b + r is at least
//     0.2 mean y.
//
// It leaves the brightness off by up to tens of per cent. The last `matched_steps` iterations are therefore steps with
// H* from p = x, after which the sum of w x is that of m y H p / (H p + b): without background all the light that was
// measured.
//
// Noise model: Poisson. Boundary: EXTEND estimates the surroundings too, MIRROR and PERIODIC have m = 1 everywhere and
// w = 1. Zero rule: the denominator is kept above e mean y; where y = 0 the quotient is 0; what rounding would put
// below 0 is 0; a blank frame gives a blank estimate. The objective is the I-divergence of y from H p + b over the
// measured voxels. It never rises only with H* and without acceleration.
//
// W. H. Richardson, J. Opt. Soc. Am. 62 (1972) 55; L. B. Lucy, Astron. J. 79 (1974) 745; EXTEND: M. Bertero and
// P. Boccacci, Astron. Astrophys. 437 (2005) 369; heavy-ball: H. Wang and P. C. Miller, IEEE Trans. Image Process. 23
// (2014) 848; D. S. C. Biggs and M. Andrews, Appl. Opt. 36 (1997) 1766.
//
// 4 transforms per iteration. Memory: per padded voxel OTF 4, spectrum 4 and their gaps 0.3, x 4, heavy-ball 4 more for
// x_previous, biggs-andrews 8 for x_previous and the change, another back projector 10 for its OTF, its weights, which
// are kept whole, and its gains; per measured voxel y 4; per weight 4. At most 17 bytes per padded voxel, 21 with
// heavy-ball: a measured box that fills the domain has few distinct weights.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RichardsonLucy final : public Method {
 public:
  RichardsonLucy();

  const v1::Method& description() const override { return description_; }
  absl::StatusOr<std::vector<Advice>> Review(const Parameters& parameters, const PsfFacts& psf) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;

 private:
  v1::Method description_;
};

}  // namespace deconvoy::worker
