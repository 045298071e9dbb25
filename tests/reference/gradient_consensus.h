// Richardson-Lucy with gradient consensus as plainly as it can be written, on one circle.
#pragma once

#include "tests/reference/reference.h"

namespace deconvoy::reference {

struct ConsensusResult {
  Volume x;
  // The least |c| over the largest of its iteration, among the voxels that a step would change: how far the closest of
  // all decisions was from going the other way.
  double closest = 1;
  int64_t kept = 0;  // voxels and iterations with c < 0
};

// x <- x (R1 + R2) / 2 where c >= 0, c = H*H[(R1 - 1)(R2 - 1)], Ri = H*(m yi / (max(Hx + b, 1e-6 mean) / 2)) / w,
// 1 where w = H* m < 0.01.
ConsensusResult GradientConsensus(const Volume& y1, const Volume& y2, const Volume& m, const Psf& psf, const Volume& x0,
                                  double background, double mean, int iterations);

}  // namespace deconvoy::reference
