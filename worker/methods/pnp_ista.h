// Plug-and-play iterative shrinkage: ista with a denoiser in place of wavelets.
//
//   x <- max(denoised( p + g H* m (y - b - H p) ), 0),   starting with such a step from p = 0
//
// in the terms of worker/methods/gradient.h, p = x or with `acceleration=nesterov` ahead of it. The denoiser
// (worker/methods/denoiser.h) takes noise of `sigma` times g times the root of the mean of y out.
//
// Noise model: Gaussian. Boundary: EXTEND estimates the surroundings too, MIRROR and PERIODIC have m = 1 everywhere.
// Zero rule: nothing is divided. The objective is |m (y - b - H p)|^2: a denoiser need not be the step of any penalty.
//
// U. S. Kamilov, H. Mansour and B. Wohlberg, IEEE Signal Process. Lett. 24 (2017) 1872.
//
// 4 transforms per iteration and as many to start. Memory: worker/methods/gradient.h and that of the denoiser.
#pragma once

#include "worker/methods/denoiser.h"
#include "worker/methods/gradient.h"

namespace deconvoy::worker {

class PlugAndPlayIsta final : public DescentMethod {
 public:
  // `denoiser`, where it is given, takes the place of what the parameters name and must outlive the method.
  explicit PlugAndPlayIsta(const DenoiserKind* denoiser = nullptr);
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;

 private:
  const DenoiserKind* const denoiser_;
};

}  // namespace deconvoy::worker
