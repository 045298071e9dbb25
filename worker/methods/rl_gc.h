// Richardson-Lucy with gradient consensus.
//
//   x <- x (R1 + R2) / 2   where c >= 0, else x stays;   c = H*H[(R1 - 1)(R2 - 1)]
//   Ri = 1 / w . H*( m yi / (max(H x + b, e mean y) / 2) ),   w = H* m,   Ri = 1 where w < 0.01
//
// in the terms of worker/methods/rl.h. y1 + y2 = y: the photons, each of them in one of two halves by a fair coin
// (worker/imaging/halves.h). Counts that are Poisson distributed make halves with independent noise, so that both want
// the same change of a voxel (c >= 0, as far as the microscope can tell voxels apart) where it is the specimen that
// asks for it, and change at odds (c < 0) where it is noise. A voxel thus stops by itself, and goes on when its
// surroundings have changed.
//
// Noise model: Poisson. Boundary: EXTEND and PERIODIC as rl; reflected photons would be split a second time, so there
// is no MIRROR. Zero rules as rl. The objective is the I-divergence of y from H x + b over the measured voxels.
//
// J. Manton and A. York, Zenodo, doi:10.5281/zenodo.10278919 (2023).
//
// 8 transforms per iteration. Memory: per padded voxel OTF 4, that of H*H 2, spectrum 4 and their gaps 0.3, x 4, R1 and
// R2 8; per measured voxel y 4, y1/y 4, quotient 4; per weight 4.
#pragma once

#include <vector>

#include "worker/methods/method.h"

namespace deconvoy::worker {

class RlGradientConsensus final : public DescribedMethod {
 public:
  RlGradientConsensus();
  // Advice where the variance is so far below the mean that the counts cannot be Poisson distributed.
  std::vector<Advice> ReviewCounts(double mean, double variance) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
