// What unrolled iterations know of specimens: a learned transform, whose coefficients are shrunk.
#pragma once

#include <memory>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

// x + 0.1 D' shrink(D x, t), shrink(c, t) = sign(c) max(|c| - t, 0): D and D' convolutions 3x3x3 from 1 to 8 and from 8
// to 1 channels, t > 0 for each channel. 440 parameters.
class ShrinkProx : public torch::nn::Module {
 public:
  ShrinkProx();
  torch::Tensor operator()(const torch::Tensor& x) const;

 private:
  std::shared_ptr<Convolution> analysis_, synthesis_;
  torch::Tensor log_thresholds_;
};

inline constexpr int kUnrolledIterations = 4;

}  // namespace deconvoy::worker::learned
