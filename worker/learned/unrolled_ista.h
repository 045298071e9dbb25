// Iterative shrinkage, unrolled: four iterations with the true H and learned steps, thresholds and transforms.
//
//   x <- P_k(x + g_k H* (u - H x)),   starting from x = u
//
// P_k as worker/learned/shrink_prox.h, g_k > 0 learned (as exponentials, 1 at first). Of the last x what is below 0
// counts a hundredth.
//
// 1764 parameters. J. Zhang and B. Ghanem, CVPR (2018) 1828 (ISTA-Net).
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/shrink_prox.h"

namespace deconvoy::worker::learned {

class UnrolledIsta final : public Network {
 public:
  explicit UnrolledIsta(const torch::Tensor& psf);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  torch::Tensor psf_;
  torch::Tensor log_steps_;
  std::vector<std::shared_ptr<ShrinkProx>> proxes_;
};

}  // namespace deconvoy::worker::learned
