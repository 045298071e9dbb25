// U-Net: convolutions at three scales, those of the finer ones seen again on the way up, the image added to the value.
//
//   down    3x3x3 to 32, 32; halved; to 64, 64; halved;   bottom  to 128, 64
//   up      doubled, with what was there before it was halved: 128 to 64, 32;  doubled, likewise: 64 to 32, 32
//   result  1x1x1 to the outputs
//
// max(., 0) after all but the last; halved by the maximum of 2x2x2, doubled by repetition.
//
// 996769 parameters. M. Weigert et al., Nat. Methods 15 (2018) 1090 (CARE), after O. Ronneberger et al., MICCAI (2015)
// 234.
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class CareUnet3d final : public Network {
 public:
  explicit CareUnet3d(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  torch::Tensor Pair(size_t first, const torch::Tensor& x) const;  // two layers

  std::vector<std::shared_ptr<Convolution>> layers_;
  std::shared_ptr<Convolution> result_;
};

}  // namespace deconvoy::worker::learned
