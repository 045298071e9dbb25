#include "worker/learned/isonet2.h"

#include <array>
#include <string>

namespace deconvoy::worker::learned {
namespace {

constexpr std::array<int64_t, 6> kWidths{1, 16, 32, 64, 32, 16};

torch::Tensor Doubled(const torch::Tensor& x) {
  return x.repeat_interleave(2, 2).repeat_interleave(2, 3);
}

}  // namespace

IsoNet2::IsoNet2(int64_t outputs) {
  for (size_t i = 0; i + 1 < kWidths.size(); ++i) {
    layers_.push_back(register_module("layer" + std::to_string(i + 1), std::make_shared<Convolution>(Convolution::Shape{
                                                                           2, kWidths[i], kWidths[i + 1], 7})));
  }
  result_ = register_module("result", std::make_shared<Convolution>(Convolution::Shape{2, kWidths.back(), outputs, 1}));
}

torch::Tensor IsoNet2::RestoreSlices(const torch::Tensor& slices) {
  const auto layer = [this](size_t i, const torch::Tensor& x) { return torch::relu((*layers_[i])(x)); };
  const torch::Tensor half = layer(1, torch::max_pool2d(layer(0, slices), 2));
  const torch::Tensor quarter = layer(2, torch::max_pool2d(half, 2));
  const torch::Tensor up = layer(4, Doubled(layer(3, Doubled(quarter))));
  return AddToValue((*result_)(up), slices);
}

}  // namespace deconvoy::worker::learned
