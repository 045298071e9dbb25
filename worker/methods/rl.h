// Richardson-Lucy.
//
//   x <- p / w . H*( m y / max(H p + b, e mean y) ),   w = H* m,   no update where w < 0.01
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1), H* its adjoint, m mask of the
// measured voxels (0 in the margin), e = 1e-6. The point p that the step is taken from is
//   none        p = x
//   heavy-ball  p = max(x + a (x - x_previous), 0.1 x),  a = (k - 1)/(k + 2) in iteration k = 1, 2, ...;
//               the floor of 0.1 x keeps voxels from locking at zero
// x starts as the mean of y (`mean`), as y (`image`, where a 0 stays 0) or as an estimate that is given (`previous`);
// in the margin always as the mean.
//
// Noise model: Poisson. Boundary: EXTEND estimates the surroundings too, MIRROR and PERIODIC have m = 1 everywhere and
// w = 1. Zero rule: the denominator is kept above e mean y; where y = 0 the quotient is 0; a blank frame gives a blank
// estimate. The objective is the I-divergence of y from H p + b over the measured voxels. It does not rise without
// acceleration.
//
// W. H. Richardson, J. Opt. Soc. Am. 62 (1972) 55; L. B. Lucy, Astron. J. 79 (1974) 745; EXTEND: M. Bertero and
// P. Boccacci, Astron. Astrophys. 437 (2005) 369; heavy-ball: H. Wang and P. C. Miller, IEEE Trans. Image Process. 23
// (2014) 848.
//
// 4 transforms per iteration. Memory: per padded voxel OTF 4, spectrum 4 and their gaps 0.3, x 4, heavy-ball 4 more for
// x_previous; per measured voxel y 4; per weight 4. At most 17 bytes per padded voxel, 21 with heavy-ball: a measured
// box that fills the domain has few distinct weights.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RichardsonLucy final : public Method {
 public:
  RichardsonLucy();

  const v1::Method& description() const override { return description_; }
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;

 private:
  v1::Method description_;
};

}  // namespace deconvoy::worker
