#include "worker/learned/few_channels.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker::learned {
namespace {

std::vector<float> Normal(int64_t n, uint64_t stream) {
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) {
    Random random = Random::OfVoxel(7, stream, static_cast<uint64_t>(i));
    values.push_back(static_cast<float>(random.Normal()));
  }
  return values;
}

struct Case {
  int64_t in, out;
  Shape3 shape;
};

// Channels lie interleaved with each other, plane by plane.
struct Input {
  explicit Input(const Case& c) : of(c), values(Normal(c.in * c.shape.voxels(), 1)) {
    for (int64_t i = 0; i < c.in; ++i) {
      channels.push_back({values.data() + i * c.shape.y * c.shape.x, c.in * c.shape.y * c.shape.x});
    }
  }
  double At(int64_t channel, const Voxel& v) const {
    if (!Box3{{}, of.shape}.Contains({v, {1, 1, 1}})) return 0;
    return channels[static_cast<size_t>(channel)]
        .first[v.z * channels[static_cast<size_t>(channel)].step + v.y * of.shape.x + v.x];
  }

  const Case of;
  const std::vector<float> values;
  std::vector<ChannelPlanes> channels;
};

class FewChannelsTest : public ::testing::TestWithParam<Case> {};

TEST_P(FewChannelsTest, IsTheSumOverKernelsAndChannels) {
  const auto& [in, out, shape] = GetParam();
  const Input input(GetParam());
  const std::vector<float> kernels = Normal(out * in * 27, 2), bias = Normal(out, 3);
  const FewChannels convolution(kernels, bias, in, out);
  const int64_t from = shape.z > 2 ? 1 : 0, planes = shape.z - from;
  // What may not be written.
  constexpr float kUntouched = 1e30F;
  std::vector<float> result(static_cast<size_t>(out * planes * shape.y * shape.x + 200), kUntouched);
  std::vector<float> scratch(static_cast<size_t>(convolution.ScratchValues(shape)), kUntouched);
  for (int64_t i = convolution.Blocks(shape, planes) - 1; i >= 0; --i) {
    convolution.Compute(i, input.channels, shape, from, shape.z, scratch, result.data());
  }
  size_t at = 0;
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < planes * shape.y * shape.x; ++i, ++at) {
      const Voxel voxel{from + i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x};
      double sum = bias[static_cast<size_t>(o)];
      for (int64_t c = 0; c < in; ++c) {
        for (int64_t tap = 0; tap < 27; ++tap) {
          sum += kernels[static_cast<size_t>((o * in + c) * 27 + tap)] *
                 input.At(c, voxel + Voxel{tap / 9 - 1, tap / 3 % 3 - 1, tap % 3 - 1});
        }
      }
      ASSERT_NEAR(result[at], sum, 1e-4) << o << ": " << voxel.z << ' ' << voxel.y << ' ' << voxel.x;
    }
  }
  for (; at < result.size(); ++at) ASSERT_EQ(result[at], kUntouched);
}

// Widths about those of vectors; channels in every group, and in several.
INSTANTIATE_TEST_SUITE_P(Shapes, FewChannelsTest,
                         ::testing::Values(Case{1, 1, {1, 1, 1}}, Case{1, 1, {3, 9, 129}}, Case{2, 4, {6, 17, 33}},
                                           Case{3, 8, {5, 8, 64}}, Case{1, 16, {9, 3, 17}}, Case{4, 29, {4, 10, 31}}));

TEST(FewChannels, WithoutABiasIsZeroOfZeros) {
  const Case one{1, 3, {2, 5, 7}};
  const std::vector<float> zeros(70), kernels = Normal(81, 2);
  const std::array<ChannelPlanes, 1> channels{{{zeros.data(), 35}}};
  std::vector<float> result(210, 1);
  const FewChannels convolution(kernels, {}, one.in, one.out);
  std::vector<float> scratch(static_cast<size_t>(convolution.ScratchValues(one.shape)));
  for (int64_t i = 0; i < convolution.Blocks(one.shape, 2); ++i) {
    convolution.Compute(i, channels, one.shape, 0, 2, scratch, result.data());
  }
  EXPECT_EQ(result, std::vector<float>(210, 0));
}

}  // namespace
}  // namespace deconvoy::worker::learned
