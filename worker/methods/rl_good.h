// Richardson-Lucy with Good's roughness.
//
//   x <- p / (w max(1 + lambda 4 D*D u / u, 0.1)) . H*( m y / max(H p + b, e mean y) ),   u = sqrt(max(p, f)),   w = H*
//   m
//
// in the terms of worker/methods/rl.h. D: one-sided differences towards the next voxel along z, y, x, times the voxel
// size along x over that of the axis; f = 1e-3 mean y. The penalty 4 sum |Du|^2 is the roughness of the square root:
// relative differences count, so that dim structures are smoothed as much as bright ones. No update where w < 0.01.
//
// Noise model: Poisson. Boundary: as rl; differences across the end of the domain are 0, with PERIODIC they go round.
// Zero rules as rl. The objective is the I-divergence, without the roughness.
//
// P. J. Verveer and T. M. Jovin, J. Opt. Soc. Am. A 14 (1997) 1696; P. J. Green, IEEE Trans. Med. Imaging 9 (1990) 84.
//
// 4 transforms per iteration. Memory: as rl, and 4 bytes per padded voxel for the penalty.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RlGood final : public DescribedMethod {
 public:
  RlGood();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
