// Models with drawn weights, and images for them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"
#include "worker/learned/model_file.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

inline std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Most of its light in one voxel.
inline torch::Tensor PeakedPsf() {
  torch::Tensor psf = torch::ones({3, 5, 5});
  psf[1][2][2] = 20;
  return psf / psf.sum();
}

// A model whose weights are drawn and a little smaller than usual, so that values stay of order 1.
inline Container Drawn(std::string_view name, Head head = Head::kPlain, const torch::Tensor& psf = PeakedPsf()) {
  const auto network = MakeNetwork(name, head, psf);
  DrawWeights(*network, 4);
  return ToContainer(*network,
                     {.network = std::string(name), .head = head, .psf_digest = "ab", .voxel_um = {0.2, 0.1, 0.1}});
}

inline std::unique_ptr<Model> Load(const Container& container) {
  auto model = LoadModel(Bytes(WriteContainer(container)));
  EXPECT_OK(model);
  return *std::move(model);
}

inline std::vector<float> Image(const Shape3& shape) {
  std::vector<float> image = DrawSpecimen({.shape = shape, .seed = deconvoy::testing::Seed()});
  Random random(deconvoy::testing::Seed());
  for (float& value : image) value = 10 + 100 * value + static_cast<float>(random.Normal());
  return image;
}

}  // namespace deconvoy::worker::learned
