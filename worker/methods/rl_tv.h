// Richardson-Lucy with total variation.
//
//   x <- p / (w max(1 + lambda D*(Dp / max(|Dp|, f)), 0.1)) . H*( m y / max(H p + b, e mean y) ),   w = H* m
//
// in the terms of worker/methods/rl.h. D: one-sided differences towards the next voxel along z, y, x, times the voxel
// size along x over that of the axis; f = 1e-3 mean y. Edges stay, flat regions become flat. No update where w < 0.01.
//
// Noise model: Poisson. Boundary: as rl; differences across the end of the domain are 0, with PERIODIC they go round.
// Zero rules as rl. The objective is the I-divergence, without the total variation.
//
// N. Dey et al., Microsc. Res. Tech. 69 (2006) 260.
//
// 4 transforms per iteration. Memory: as rl, and 4 bytes per padded voxel for the penalty.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RlTotalVariation final : public DescribedMethod {
 public:
  RlTotalVariation();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
