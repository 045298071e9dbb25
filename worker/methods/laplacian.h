// Inverse regularised by the Laplacian: minimises |y - b - H x|^2 + lambda |L x|^2.
//
//   x^ = (y - b)^ conj h^ / (|h^|^2 + lambda w^4),   w^2 = wz^2 + wy^2 + wx^2 in radians per voxel
//
// x estimate, y measured photons, b background, h^ transform of the PSF (sum 1). Noise model: Gaussian. Boundary:
// MIRROR or PERIODIC; the surroundings cannot be estimated in one step. Zero rule: lambda > 0, and h^ is 1 where w is
// 0.
//
// D. Sage et al., Methods 115 (2017) 28 (regularised inverse filter).
//
// 2 transforms. Memory: worker/methods/linear_filter.h.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class Laplacian final : public DescribedMethod {
 public:
  Laplacian();
  std::vector<float> PenaltyOf(const Shape3& domain) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
