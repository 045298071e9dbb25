#include "worker/pipeline/depth_blend.h"

#include <gtest/gtest.h>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker {
namespace {

TEST(DepthBlendTest, WeightsAreLinearBetweenDepthsAndConstantBeyond) {
  const std::vector<double> depths = {1, 3, 7};
  const auto weights = [&](double depth) {
    return std::vector<double>{DepthWeight(depths, 0, depth), DepthWeight(depths, 1, depth),
                               DepthWeight(depths, 2, depth)};
  };
  EXPECT_EQ(weights(-5), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(weights(1), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(weights(1.5), (std::vector<double>{0.75, 0.25, 0}));
  EXPECT_EQ(weights(3), (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(weights(6), (std::vector<double>{0, 0.25, 0.75}));
  EXPECT_EQ(weights(100), (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(DepthWeight(std::vector<double>{4}, 0, 9), 1) << "a single depth";
}

TEST(DepthBlendTest, OnlyDepthsThatCountAreUsed) {
  const Box3 core{{10, 0, 0}, {4, 1, 1}};  // depths 5 to 6.5
  EXPECT_EQ(DepthBlend({0, 5, 6.5, 20}, 0.5, core).Used(), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(DepthBlend({0, 4.5, 30}, 0.5, core).Used(), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(DepthBlend({0, 1}, 0.5, core).Used(), std::vector<size_t>{1});
}

TEST(DepthBlendTest, AddsWhatEachDepthYields) {
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  ASSERT_OK_AND_ASSIGN(const auto ops, backend->Open({5, 2, 2}));
  ASSERT_OK_AND_ASSIGN(const auto estimate, ops->Allocate({{}, {5, 2, 2}}));
  const Box3 core{{0, 0, 0}, {3, 1, 2}}, in_domain{{1, 1, 0}, {3, 1, 2}};
  DepthBlend blend({0, 2}, 1, core);
  ASSERT_OK(ops->Fill(*estimate, 8));
  ASSERT_OK(blend.Add(0, *estimate, in_domain, *ops));
  ASSERT_OK(ops->Fill(*estimate, 16));
  ASSERT_OK(blend.Add(1, *estimate, in_domain, *ops));
  for (const auto& [z, value] : std::vector<std::pair<int64_t, float>>{{0, 8}, {1, 12}, {2, 16}}) {
    const std::span<const float> plane = blend.Plane(z);
    EXPECT_EQ(std::vector<float>(plane.begin(), plane.end()), std::vector<float>(2, value)) << z;
  }
}

}  // namespace
}  // namespace deconvoy::worker
