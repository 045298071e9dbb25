// Alternating direction method of multipliers, unrolled: four iterations with the true H, learned penalties and proxes.
//
//   x <- (H*H + r_k)^-1 (H* u + r_k (z - d)),   z <- P_k(x + d),   d <- d + x - z,   starting from z = u, d = 0
//
// P_k as worker/learned/shrink_prox.h, r_k > 0 learned (as exponentials, 0.1 at first). The inverse is that of the box
// and the PSF's reach around it, as a circle. The result is the last z, of which what is below 0 counts a hundredth.
//
// 1764 parameters. Y. Yang et al., NIPS (2016) 10 (ADMM-Net); K. Monakhova et al., Opt. Express 27 (2019) 28075.
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/shrink_prox.h"

namespace deconvoy::worker::learned {

class UnrolledAdmm final : public Network {
 public:
  explicit UnrolledAdmm(const torch::Tensor& psf);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  torch::Tensor psf_;
  torch::Tensor log_penalties_;
  std::vector<std::shared_ptr<ShrinkProx>> proxes_;
};

}  // namespace deconvoy::worker::learned
