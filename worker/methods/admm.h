// Alternating direction method of multipliers.
//
//   minimises  f(H x) + lambda |D x|_1  over x >= 0,
//   f(v) = sum of m ((v + b) - y ln(v + b))           noise `poisson`
//        = sum of m (v + b - y)^2 / (2 mean y)        noise `gaussian`
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1), m 1 at voxels that count at all,
// else 0, D the differences of worker/ops/backend.h, times the voxel size along x over that of the axis, once each
// (`tv`) or twice (`hessian`); |.|_1 sums the lengths of the voxels' parts. Copies z1 = H x, z2 = x, z3 = D x with
// scaled duals u1, u2, u3, and the penalties rho, g rho and g' rho, g being `weight` and g' a tenth of it:
//
//   x  <- G (H* (z1 - u1) + g (z2 - u2) + g' D* (z3 - u3)),   G^ = 1 / (|h^|^2 + g + g' |d^|^2)
//   t  <- a K x + (1 - a) z + u,   K x the one that z is a copy of, a = 1.7
//   z1 <- least f(z) + rho/2 |z - t1|^2,   z1 = H x where m = 0
//   z2 <- max(t2, 0)
//   z3 <- t3, its parts together drawn to 0 by lambda / (g' rho)
//   u  <- t - z
//
// rho = 1 / (16 mean y) at first. With r = |K x - z| and s = |z - z of the step before| over all splittings, rho
// doubles where r > 10 s and halves where s > 10 r, after every second step up to the 20th (`balancing`); u is
// rescaled. It stops when r and s are at most `tolerance` |z|. In r, s and |z| squares of the second copy count g,
// those of the third g' times; then |rho s| times the root of max(1 / G^) bounds the dual residual. What is told are
// r^2 / |z|^2 and s^2 / |z|^2: those of Boyd et al., 3.3.1, but that |z| stands for the largest of |K x|, |z| and the
// dual's size, and that s is not taken back through K*, which would cost two more transforms. With a tolerance every
// iteration finds what it would tell, since any may be the last.
//
// With g = 1 what the PSF has nearly lost comes back as slowly as in a descent, as x is held to its copies; a small g
// lets x move, but then dark places keep light for long. Differences need less: a g' below g lets edges move.
//
// Noise model: Poisson or Gaussian. Boundary: EXTEND estimates the surroundings too, MIRROR and PERIODIC have m = 1
// everywhere; differences go round the domain in all three. Zero rule: f has its limit where y is 0; nothing else is
// divided by what may be 0. The objective is that of x, which until the end may lie a little below 0; the result is z2.
//
// S. Boyd et al., Found. Trends Mach. Learn. 3 (2011) 1. M. A. T. Figueiredo and J. M. Bioucas-Dias, IEEE Trans. Image
// Process. 19 (2010) 3133. Over-relaxation (a): J. Eckstein and D. P. Bertsekas, Math. Program. 55 (1992) 293.
//
// 4 transforms per iteration. Bytes per padded voxel: OTF 4, G 2, spectra of x and z1 8 and their gaps 0.6, x 4, z2 4,
// z3 12 (`hessian` 24); y and z1 8 per measured voxel.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class Admm final : public DescribedMethod {
 public:
  Admm();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
