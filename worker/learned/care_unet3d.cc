#include "worker/learned/care_unet3d.h"

#include <array>
#include <string>
#include <utility>

namespace deconvoy::worker::learned {
namespace {

// In and out of each layer.
constexpr std::array<std::pair<int64_t, int64_t>, 10> kLayers{
    {{1, 32}, {32, 32}, {32, 64}, {64, 64}, {64, 128}, {128, 64}, {128, 64}, {64, 32}, {64, 32}, {32, 32}}};

torch::Tensor Doubled(const torch::Tensor& x) {
  return x.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4);
}

}  // namespace

CareUnet3d::CareUnet3d(int64_t outputs) {
  for (const auto& [in, out] : kLayers) {
    layers_.push_back(register_module("layer" + std::to_string(layers_.size() + 1),
                                      std::make_shared<Convolution>(Convolution::Shape{.in = in, .out = out})));
  }
  result_ = register_module("result",
                            std::make_shared<Convolution>(Convolution::Shape{.in = 32, .out = outputs, .kernel = 1}));
}

torch::Tensor CareUnet3d::Pair(size_t first, const torch::Tensor& x) const {
  return torch::relu((*layers_[first + 1])(torch::relu((*layers_[first])(x))));
}

torch::Tensor CareUnet3d::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const torch::Tensor whole = Pair(0, u);
  const torch::Tensor half = Pair(2, torch::max_pool3d(whole, 2));
  const torch::Tensor quarter = Pair(4, torch::max_pool3d(half, 2));
  const torch::Tensor half_again = Pair(6, torch::cat({Doubled(quarter), half}, 1));
  const torch::Tensor whole_again = Pair(8, torch::cat({Doubled(half_again), whole}, 1));
  return AddToValue((*result_)(whole_again), u);
}

}  // namespace deconvoy::worker::learned
