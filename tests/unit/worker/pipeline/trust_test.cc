#include "worker/pipeline/trust.h"

#include <gtest/gtest.h>

#include <algorithm>

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
