#include "worker/learned/rcan3d.h"

#include <string>

namespace deconvoy::worker::learned {
namespace {

constexpr int kGroups = 2, kBlocks = 2;
constexpr int64_t kWidth = 16, kSqueezed = 4, kNeighbourhood = 9;

// Of the voxels of the neighbourhood that lie inside the box, which may be smaller.
torch::Tensor LocalMean(const torch::Tensor& x) {
  constexpr int64_t kReach = kNeighbourhood / 2;
  const auto mean = [](const torch::Tensor& values) {
    const torch::Tensor padded = torch::constant_pad_nd(values, {kReach, kReach, kReach, kReach, kReach, kReach});
    return torch::avg_pool3d(padded, kNeighbourhood, 1);
  };
  return mean(x) / mean(torch::ones_like(x.slice(0, 0, 1).slice(1, 0, 1)));
}

}  // namespace

Rcan3d::Rcan3d(int64_t outputs) {
  const auto add = [this](const std::string& name, int64_t in, int64_t out, int64_t kernel = 3) {
    return register_module(name,
                           std::make_shared<Convolution>(Convolution::Shape{.in = in, .out = out, .kernel = kernel}));
  };
  entry_ = add("entry", 1, kWidth);
  for (int g = 0; g < kGroups; ++g) {
    const std::string group = "group" + std::to_string(g + 1) + "_";
    groups_.emplace_back();
    for (int b = 0; b < kBlocks; ++b) {
      const std::string block = group + "block" + std::to_string(b + 1) + "_";
      groups_.back().blocks.push_back({.first = add(block + "first", kWidth, kWidth),
                                       .second = add(block + "second", kWidth, kWidth),
                                       .squeeze = add(block + "squeeze", kWidth, kSqueezed, 1),
                                       .widen = add(block + "widen", kSqueezed, kWidth, 1)});
    }
    groups_.back().last = add(group + "last", kWidth, kWidth);
  }
  last_ = add("last", kWidth, kWidth);
  result_ = add("result", kWidth, outputs);
}

torch::Tensor Rcan3d::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const torch::Tensor entry = (*entry_)(u);
  torch::Tensor x = entry;
  for (const Group& group : groups_) {
    torch::Tensor inner = x;
    for (const Block& block : group.blocks) {
      const torch::Tensor c = (*block.second)(torch::relu((*block.first)(inner)));
      const torch::Tensor attention = torch::sigmoid((*block.widen)(torch::relu((*block.squeeze)(LocalMean(c)))));
      inner = inner + c * attention;
    }
    x = x + (*group.last)(inner);
  }
  return AddToValue((*result_)(entry + (*last_)(x)), u);
}

}  // namespace deconvoy::worker::learned
