#include "worker/pipeline/trust.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

CorePlane Constant(float value) {
  return [value](int64_t, std::span<float> plane) {
    std::ranges::fill(plane, value);
    return absl::OkStatus();
  };
}

TEST(AddTrust, SumsOverAllVoxels) {
  v1::TrustStatistics trust;
  ASSERT_OK(AddTrust({.estimate = Constant(3), .spread = Constant(0.5)}, {2, 3, 4}, trust));
  EXPECT_EQ(trust.voxels(), 24U);
  EXPECT_EQ(trust.estimate_squares(), 24 * 9);
  EXPECT_EQ(trust.spread_squares(), 6);
  EXPECT_EQ(trust.compared_voxels(), 0U);
}

TEST(AddTrust, WhatIsNotKnownIsNotCounted) {
  v1::TrustStatistics trust;
  ASSERT_OK(AddTrust({.estimate = Constant(3), .spread = {}}, {2, 3, 4}, trust));
  EXPECT_EQ(trust.voxels(), 24U);
  EXPECT_EQ(trust.spread_squares(), 0);
}

// Of statistics whose figures are 0 with deviations of 1.
v1::PatchStatistics Known(double threshold) {
  v1::PatchStatistics known;
  for (size_t i = 0; i < learned::Figures{}.size(); ++i) {
    known.add_mean(0);
    known.add_deviation(1);
  }
  known.set_threshold(threshold);
  return known;
}

learned::Figures Away(double distance) {
  learned::Figures figures;
  figures.fill(distance);
  return figures;
}

TEST(CountStrangePatches, CountsThoseBeyondTheThreshold) {
  v1::TrustStatistics trust;
  CountStrangePatches({Away(0), Away(1.9), Away(-2.1), Away(5)}, Known(2), trust);
  EXPECT_EQ(trust.patches(), 4U);
  EXPECT_EQ(trust.strange_patches(), 2U);
  EXPECT_NEAR(trust.strangeness(), 2.5, 1e-6);
  CountStrangePatches({Away(1)}, Known(2), trust);
  EXPECT_EQ(trust.patches(), 5U);
  EXPECT_NEAR(trust.strangeness(), 2.5, 1e-6) << "that of the strangest";
}

TEST(CountStrangePatches, CountsNothingByWhatItDoesNotKnow) {
  v1::TrustStatistics trust;
  CountStrangePatches({Away(5)}, {}, trust);
  CountStrangePatches({Away(5)}, Known(0), trust);
  v1::PatchStatistics other = Known(2);
  other.add_mean(0);
  CountStrangePatches({Away(5)}, other, trust);
  EXPECT_EQ(trust.patches(), 0U);
  EXPECT_EQ(trust.strange_patches(), 0U);
}

TEST(AddComparison, SumsOverAllVoxels) {
  v1::TrustStatistics trust;
  ASSERT_OK(AddComparison(Constant(3), Constant(5), {2, 3, 4}, trust));
  EXPECT_EQ(trust.compared_voxels(), 24U);
  EXPECT_EQ(trust.classical_squares(), 24 * 25);
  EXPECT_EQ(trust.difference_squares(), 24 * 4);
  EXPECT_EQ(trust.voxels(), 0U);
}

TEST(AddComparison, ErrorsOfPlanesEndIt) {
  v1::TrustStatistics trust;
  const CorePlane broken = [](int64_t, std::span<float>) { return absl::InternalError("broken"); };
  EXPECT_FALSE(AddComparison(Constant(1), broken, {1, 2, 2}, trust).ok());
}

}  // namespace
}  // namespace deconvoy::worker
