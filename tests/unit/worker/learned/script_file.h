// TorchScript files as torch.jit.save writes them, made from source, and descriptors that belong to them.
#pragma once

#include <torch/script.h>

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker::learned {

// A model with one parameter, the array `weight` of 3 x 3 x 3 numbers, the buffer `kept` of 4 x 8 x 8 zeros, and the
// given source of `forward`.
inline std::string ScriptFile(const std::string& forward) {
  torch::jit::Module module("net");
  torch::Tensor weight = torch::zeros({1, 1, 3, 3, 3});
  weight[0][0][1][1][1] = 1;
  module.register_parameter("weight", weight, /*is_buffer=*/false);
  module.register_buffer("kept", torch::zeros({1, 1, 4, 8, 8}));
  module.define(forward);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

// A small U-Net: one level down and up.
inline std::string UNetFile() {
  return ScriptFile(R"(
    def forward(self, x):
        fine = torch.conv3d(x, self.weight, None, [1, 1, 1], [1, 1, 1])
        coarse = torch.max_pool3d(fine, [2, 2, 2])
        up = torch.upsample_nearest3d(coarse, [x.size(2), x.size(3), x.size(4)])
        return fine + x + 0.5 * up
)");
}

// What it makes of values of these extents, which go on beyond their ends as if reflected.
inline std::vector<float> UNetOf(const std::vector<float>& u, const Shape3& shape) {
  const auto reflected = [](int64_t i, int64_t n) { return i < n ? i : std::max<int64_t>(2 * (n - 1) - i, 0); };
  std::vector<float> result;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const auto at = [&](int64_t k, int64_t j, int64_t i) {
          const int64_t row = reflected(k, shape.z) * shape.y + reflected(j, shape.y);
          return u[static_cast<size_t>(row * shape.x + reflected(i, shape.x))];
        };
        float coarse = at(z, y, x);
        for (int64_t i = 0; i < 8; ++i) {
          coarse = std::max(coarse, at(z / 2 * 2 + i / 4, y / 2 * 2 + i / 2 % 2, x / 2 * 2 + i % 2));
        }
        result.push_back(2 * at(z, y, x) + 0.5F * coarse);
      }
    }
  }
  return result;
}

inline std::string ScriptDescriptor(const std::string& output_axes = "bczyx",
                                    const std::string& halo = "[0, 0, 2, 4, 4]") {
  return R"(inputs:
- name: raw
  axes: bczyx
  data_type: float32
  shape: {min: [1, 1, 4, 8, 8], step: [0, 0, 2, 4, 4]}
  preprocessing:
  - {name: scale_range, kwargs: {mode: per_sample, axes: zyx, min_percentile: 2, max_percentile: 99}}
outputs:
- name: restored
  axes: )" +
         output_axes +
         R"(
  data_type: float32
  shape: {reference_tensor: raw, scale: [1, 1, 1, 1, 1], offset: [0, 0, 0, 0, 0]}
  halo: )" +
         halo + "\n";
}

}  // namespace deconvoy::worker::learned
