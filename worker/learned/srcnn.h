// Super-resolution network in two dimensions, plane by plane: 9x9 to 64 channels, 1x1 to 32, 5x5 to the outputs, max(.,
// 0) after the first two. What lies above and below a plane does not count.
//
// 8129 parameters. C. Dong et al., ECCV (2014) 184.
#pragma once

#include <memory>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class Srcnn final : public Network {
 public:
  explicit Srcnn(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  std::shared_ptr<Convolution> patches_, mapping_, result_;
};

}  // namespace deconvoy::worker::learned
