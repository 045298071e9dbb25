#include "worker/learned/dncnn3d.h"

#include <string>

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kWidth = 16;
constexpr int kLayers = 8;

}  // namespace

Dncnn3d::Dncnn3d() {
  for (int i = 0; i < kLayers; ++i) {
    const int64_t in = i == 0 ? 2 : kWidth, out = i + 1 == kLayers ? 1 : kWidth;
    layers_.push_back(register_module("layer" + std::to_string(i + 1), std::make_shared<Convolution>(Convolution::Shape{
                                                                           .in = in, .out = out, .bias = false})));
  }
}

torch::Tensor Dncnn3d::Restore(const torch::Tensor& u, const torch::Tensor& noise) {
  torch::Tensor x = torch::cat({u, noise.view({-1, 1, 1, 1, 1}).expand_as(u)}, 1);
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) x = torch::relu(x);
    x = (*layers_[i])(x);
  }
  return u - x;
}

}  // namespace deconvoy::worker::learned
