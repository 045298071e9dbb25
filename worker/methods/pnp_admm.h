// Plug-and-play alternating direction method of multipliers: admm with a denoiser in place of a penalty.
//
//   x  <- G (H* (z1 - u1) + g (z2 - u2)),   G^ = 1 / (|h^|^2 + g)
//   z1 <- least f(z) + rho/2 |z - H x - u1|^2,   z1 = H x where m = 0
//   z2 <- max(denoised(x + u2), 0)
//   u  <- u + K x - z,   rho = 0.25 / mean y throughout, g = `weight`
//
// in the terms of worker/methods/admm.h, f with the noise `poisson` or `gaussian`. The denoiser
// (worker/methods/denoiser.h) takes noise of `sigma` times the root of the mean of y out. The result is z2.
//
// Noise model: Poisson or Gaussian. Boundary and zero rule: as admm. The objective is f(H x): a denoiser need not be
// the step of any penalty. The residuals that are told are those of z1 alone, as those of admm: those of z2 would take
// one more array.
//
// S. V. Venkatakrishnan, C. A. Bouman and B. Wohlberg, GlobalSIP (2013) 945.
//
// 4 transforms per iteration. Bytes per padded voxel: OTF 4, G 2, spectra of x and z1 8 and their gaps 0.6, x 4, u2 4,
// and those of the denoiser; y and z1 8 per measured voxel.
#pragma once

#include "worker/methods/denoiser.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

class PlugAndPlayAdmm final : public DescribedMethod {
 public:
  // `denoiser`, where it is given, takes the place of what the parameters name and must outlive the method.
  explicit PlugAndPlayAdmm(const DenoiserKind* denoiser = nullptr);
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;

 private:
  const DenoiserKind* const denoiser_;
};

}  // namespace deconvoy::worker
