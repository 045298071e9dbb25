// Denoising network: convolutions that find the noise, which is then taken off.
//
//   r = v - N([v, sigma]),  N: 3x3x3 from 2 to 16 channels, six times 16 to 16, then 16 to 1; max(., 0) in between
//
// sigma is the standard deviation of the noise, the same everywhere. Without biases N, and so the network, is
// homogeneous: what is k times as bright, with k times the noise, becomes k times the result, so that no normalisation
// is needed (Mohan et al.). Published in two dimensions, with 17 layers of 64 channels and batch normalisation.
//
// 42768 parameters. K. Zhang et al., IEEE Trans. Image Process. 26 (2017) 3142; S. Mohan et al., ICLR (2020).
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class Dncnn3d final : public Network {
 public:
  Dncnn3d();
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  std::vector<std::shared_ptr<Convolution>> layers_;
};

}  // namespace deconvoy::worker::learned
