// Van Cittert.
//
//   x <- x + g (y - b - H x),   x = y - b at first
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1), g the step. Noise model: Gaussian.
// Boundary: MIRROR or PERIODIC; without an adjoint the surroundings cannot be estimated. Zero rule: nothing is divided.
// It converges where |1 - g h^| < 1, so that the real part of h^ must not be negative: Review looks along the axes of
// frequency. The objective is |y - b - H x|^2, with x as it is before the step.
//
// P. H. van Cittert, Z. Phys. 69 (1931) 298.
//
// 2 transforms per iteration. Memory: per padded voxel OTF 4, x 4, spectrum 4 and their gaps 0.3; per measured voxel
// y 4.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class VanCittert final : public DescribedMethod {
 public:
  VanCittert();
  absl::StatusOr<std::vector<Advice>> Review(const Parameters& parameters, const PsfFacts& psf) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
