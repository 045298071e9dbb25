#include "worker/learned/shrink_prox.h"

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kChannels = 8;
constexpr float kFirstLogThreshold = -4;
constexpr float kShare = 0.1F;  // so that the first results are near x

}  // namespace

ShrinkProx::ShrinkProx()
    : analysis_(register_module(
          "analysis", std::make_shared<Convolution>(Convolution::Shape{.in = 1, .out = kChannels, .bias = false}))),
      synthesis_(register_module(
          "synthesis", std::make_shared<Convolution>(Convolution::Shape{.in = kChannels, .out = 1, .bias = false}))),
      log_thresholds_(register_parameter("log_thresholds", torch::full({kChannels}, kFirstLogThreshold))) {}

torch::Tensor ShrinkProx::operator()(const torch::Tensor& x) const {
  const torch::Tensor coefficients = (*analysis_)(x);
  const torch::Tensor thresholds = torch::exp(log_thresholds_).view({1, kChannels, 1, 1, 1});
  const torch::Tensor shrunk = torch::sign(coefficients) * torch::relu(torch::abs(coefficients) - thresholds);
  return x + kShare * (*synthesis_)(shrunk);
}

}  // namespace deconvoy::worker::learned
