#include "worker/imaging/background.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

TEST(ValueHistogramTest, APercentileIsWhatSoManyLieBelow) {
  ValueHistogram histogram;
  std::vector<float> plane;
  for (int i = 0; i < 1000; ++i) plane.push_back(static_cast<float>(100 + i));
  histogram.AddPlane(plane);
  for (float& v : plane) v += 1000;
  histogram.AddPlane(plane);
  EXPECT_NEAR(histogram.Percentile(5), 200, 200.0 / 4096);
  EXPECT_NEAR(histogram.Percentile(50), 1100, 1100.0 / 4096);
  EXPECT_NEAR(histogram.Percentile(99.99), 2099, 2099.0 / 4096);
}

TEST(ValueHistogramTest, OnlyWhatCountsCounts) {
  ValueHistogram histogram;
  histogram.AddPlane(std::vector<float>{1, 50, std::numeric_limits<float>::quiet_NaN(), 60, 70},
                     std::vector<float>{0, 1, 1, 1, 1});
  EXPECT_NEAR(histogram.Percentile(1), 50, 50.0 / 4096);
  EXPECT_NEAR(histogram.Percentile(50), 60, 60.0 / 4096);
}

TEST(ValueHistogramTest, WhatIsBelowZeroIsZero) {
  ValueHistogram histogram;
  histogram.AddPlane(std::vector<float>{-5, -3, 4});
  EXPECT_EQ(histogram.Percentile(10), 0);
  EXPECT_EQ(ValueHistogram().Percentile(10), 0) << "of no voxel";
}

// Half of every plane is specimen.
TEST(PlaneBackgroundsTest, EachPlaneHasItsOwn) {
  const Shape3 frame{3, 96, 96};
  PlaneBackgrounds backgrounds(frame, {});
  Random random(5);
  for (int z = 0; z < 3; ++z) {
    std::vector<float> plane(96 * 96);
    for (size_t i = 0; i < plane.size(); ++i) {
      plane[i] = static_cast<float>(random.Poisson(10 + 20 * z + (i % 96 < 48 ? 0 : 200)));
    }
    backgrounds.AddPlane(plane);
  }
  const std::vector<float> found = backgrounds.Finish();
  ASSERT_EQ(found.size(), 3U);
  for (size_t z = 0; z < 3; ++z) EXPECT_NEAR(found[z], 10 + 20 * static_cast<double>(z), 0.5) << z;
}

TEST(PlaneBackgroundsTest, APlaneThatDoesNotCountHasTheBrightest) {
  PlaneBackgrounds backgrounds({3, 8, 8}, {});
  backgrounds.AddPlane(std::vector<float>(64, 7));
  backgrounds.AddPlane(std::vector<float>(64, 100), std::vector<float>(64, 0));
  backgrounds.AddPlane(std::vector<float>(64, 5));
  const std::vector<float> found = backgrounds.Finish();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NEAR(found[0], 7, 0.01);
  EXPECT_EQ(found[1], found[0]);
  EXPECT_NEAR(found[2], 5, 0.01);
}

}  // namespace
}  // namespace deconvoy::worker
