#include "tests/unit/worker/learned/drawn_model.h"

#include <gtest/gtest.h>

#include "tests/support/test_support.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"
#include "worker/learned/model_file.h"

namespace deconvoy::worker::learned {
namespace {

torch::Tensor PeakedPsf() {
  torch::Tensor psf = torch::ones({3, 5, 5});
  psf[1][2][2] = 20;
  return psf / psf.sum();
}

torch::Tensor WidePsf() {
  const auto line = [](int64_t n, double sigma) {
    return torch::exp(-torch::arange(-(n / 2), n / 2 + 1).to(torch::kFloat32).square() / (2 * sigma * sigma));
  };
  const torch::Tensor psf = line(11, 2).view({-1, 1, 1}) * line(13, 2.2).view({1, -1, 1}) * line(13, 2.2);
  return psf / psf.sum();
}

}  // namespace

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Container Drawn(std::string_view name, Head head, DrawnPsf psf) {
  const auto network = MakeNetwork(name, head, psf == DrawnPsf::kWide ? WidePsf() : PeakedPsf());
  DrawWeights(*network, 4);
  return ToContainer(*network,
                     {.network = std::string(name), .head = head, .psf_digest = "ab", .voxel_um = {0.2, 0.1, 0.1}});
}

std::unique_ptr<Model> Load(const Container& container) {
  auto model = LoadModel(Bytes(WriteContainer(container)));
  EXPECT_OK(model);
  return *std::move(model);
}

std::vector<float> Image(const Shape3& shape) {
  std::vector<float> image = DrawSpecimen({.shape = shape, .seed = deconvoy::testing::Seed()});
  Random random(deconvoy::testing::Seed());
  for (float& value : image) value = 10 + 100 * value + static_cast<float>(random.Normal());
  return image;
}

}  // namespace deconvoy::worker::learned
