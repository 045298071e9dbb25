#include "worker/imaging/result_noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kRows = 64, kColumns = 65;

std::vector<float> Plane(float level) {
  return std::vector<float>(static_cast<size_t>(kRows * kColumns), level);
}

std::vector<float> Noisy(float level, double deviation, uint64_t seed) {
  std::vector<float> plane = Plane(level);
  for (size_t i = 0; i < plane.size(); ++i)
    plane[i] += static_cast<float>(deviation * Random::OfVoxel(seed, 2, i).Normal());
  return plane;
}

TEST(AddFlat, NoiseIsFlatAndItsGrowthIsSeen) {
  const std::vector<float> image = Noisy(1000, 5, 1);
  std::vector<float> result = Plane(1000);
  for (size_t i = 0; i < result.size(); ++i) result[i] += 3 * (image[i] - 1000);
  NoiseSums sums;
  AddFlat(image, result, kColumns, sums);
  EXPECT_GT(sums.flat_voxels, 0.9 * 64 * 64);
  EXPECT_NEAR(std::sqrt(sums.flat_after / sums.flat_before), 3, 1e-3);
  EXPECT_NEAR(std::sqrt(sums.flat_before / static_cast<double>(sums.flat_voxels)), 5, 0.3);
}

// A step, a ramp and stripes along x, each far above the noise; and no noise at all.
TEST(AddFlat, StructuresAreNotFlat) {
  for (const auto& shape : {+[](int64_t, int64_t x) { return x % 8 < 4 ? 0.0 : 60.0; },
                            +[](int64_t y, int64_t) { return 8.0 * static_cast<double>(y); },
                            +[](int64_t y, int64_t) { return y % 4 < 2 ? 0.0 : 60.0; }}) {
    std::vector<float> image = Noisy(100, 5, 2);
    for (int64_t i = 0; i < kRows * kColumns; ++i)
      image[static_cast<size_t>(i)] += static_cast<float>(shape(i / kColumns, i % kColumns));
    NoiseSums sums;
    AddFlat(image, image, kColumns, sums);
    EXPECT_EQ(sums.flat_voxels, 0U);
  }
  NoiseSums sums;
  AddFlat(Plane(7), Plane(7), kColumns, sums);
  EXPECT_EQ(sums.flat_voxels, 0U);
}

TEST(AddFlat, BlocksThatWereNotMeasuredAreLeftOut) {
  std::vector<float> image = Noisy(1000, 5, 1);
  NoiseSums all, some;
  AddFlat(image, image, kColumns, all);
  image[9 * kColumns + 9] = NAN;
  image[20 * kColumns + 64] = NAN;  // beside the last block of a row
  AddFlat(image, image, kColumns, some);
  EXPECT_EQ(some.flat_voxels, all.flat_voxels - 2 * 64);
  EXPECT_TRUE(std::isfinite(some.flat_before));
  EXPECT_TRUE(std::isfinite(some.flat_after));
}

TEST(AddRings, AreDarkBesideBrightOnly) {
  std::vector<float> result(64);
  result[10] = 50;
  result[14] = -6;
  NoiseSums sums;
  AddRings(result, 32, 100, sums);
  EXPECT_EQ(sums.ring_voxels, 1U);
  result[14] = -4;  // not far below zero
  result[15] = -6;  // not beside it
  result[42] = -6;  // below it, in another row
  NoiseSums none;
  AddRings(result, 32, 100, none);
  EXPECT_EQ(none.ring_voxels, 0U);
  result[10] = 20;  // not bright
  result[14] = -6;
  AddRings(result, 32, 100, none);
  EXPECT_EQ(none.ring_voxels, 0U);
  AddRings(result, 32, 0, none);
  EXPECT_EQ(none.ring_voxels, 0U) << "a frame without light";
}

}  // namespace
}  // namespace deconvoy::worker
