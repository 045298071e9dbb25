// The smaller of the networks that make images isotropic, on slices that contain the axis, xz and yz, whose results are
// averaged: 9x9 to 64 channels, 5x5 to 32, 5x5 to 1, 1x1 to the outputs, max(., 0) after the first two. The slice
// itself is added to the value, so that training begins near it.
//
// 57283 parameters. M. Weigert et al., MICCAI (2017) 126.
#pragma once

#include <memory>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class IsoNet1 final : public Network {
 public:
  explicit IsoNet1(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  std::shared_ptr<Convolution> wide_, middle_, narrow_, result_;
};

}  // namespace deconvoy::worker::learned
