#include "worker/learned/ddn.h"

#include <string>

namespace deconvoy::worker::learned {
namespace {

constexpr int kBlocks = 3, kLayers = 3;
constexpr int64_t kWidth = 8, kGrowth = 4;

}  // namespace

Ddn::Ddn(int64_t outputs) {
  const auto add = [this](const std::string& name, int64_t in, int64_t out, int64_t kernel) {
    return register_module(name,
                           std::make_shared<Convolution>(Convolution::Shape{.in = in, .out = out, .kernel = kernel}));
  };
  entry_ = add("entry", 1, kWidth, 3);
  for (int b = 0; b < kBlocks; ++b) {
    const std::string block = "block" + std::to_string(b + 1) + "_";
    blocks_.emplace_back();
    for (int i = 0; i < kLayers; ++i) {
      blocks_.back().layers.push_back(add(block + "layer" + std::to_string(i + 1), kWidth + i * kGrowth, kGrowth, 3));
    }
    blocks_.back().last = add(block + "last", kWidth + kLayers * kGrowth, kWidth, 1);
  }
  result_ = add("result", (kBlocks + 1) * kWidth, outputs, 1);
}

torch::Tensor Ddn::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  std::vector<torch::Tensor> results{torch::relu((*entry_)(u))};
  for (const Block& block : blocks_) {
    std::vector<torch::Tensor> seen{results.back()};
    for (const auto& layer : block.layers) seen.push_back(torch::relu((*layer)(torch::cat(seen, 1))));
    results.push_back(torch::relu((*block.last)(torch::cat(seen, 1))));
  }
  return AddToValue((*result_)(torch::cat(results, 1)), u);
}

}  // namespace deconvoy::worker::learned
