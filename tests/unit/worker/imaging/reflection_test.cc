#include "worker/imaging/reflection.h"

#include <gtest/gtest.h>

#include <vector>

namespace deconvoy::worker {
namespace {

TEST(ReflectedAxis, SharesTheMarginBetweenBothEnds) {
  // ... 1 0 | 0 1 2 3 | 3 2 1 ..., the last voxels of the domain lie before its first.
  EXPECT_EQ(ReflectedAxis(4, 9), (std::vector<int64_t>{0, 1, 2, 3, 3, 2, 1, 1, 0}));
}

TEST(ReflectedAxis, WithoutMarginIsTheIdentity) {
  EXPECT_EQ(ReflectedAxis(3, 3), (std::vector<int64_t>{0, 1, 2}));
}

TEST(ReflectedAxis, GoesOnWhereTheMarginIsLongerThanTheBox) {
  EXPECT_EQ(ReflectedAxis(1, 6), std::vector<int64_t>(6, 0));
  EXPECT_EQ(ReflectedAxis(2, 10), (std::vector<int64_t>{0, 1, 1, 0, 0, 1, 0, 1, 1, 0}));
}

// A circular neighbour of any voxel is at most one voxel away in the box, except where both margins meet.
TEST(ReflectedAxis, IsContinuousAtBothFaces) {
  const std::vector<int64_t> source = ReflectedAxis(7, 15);
  EXPECT_EQ(source[7], 6);
  EXPECT_EQ(source[14], 0);
}

TEST(ReflectPlane, FillsRowsAndColumns) {
  const std::vector<float> plane{1, 2, 3, 4};
  std::vector<float> target(12);
  ReflectPlane(plane, 2, ReflectedAxis(2, 3), ReflectedAxis(2, 4), target);
  EXPECT_EQ(target, (std::vector<float>{1, 2, 2, 1, 3, 4, 4, 3, 3, 4, 4, 3}));
}

}  // namespace
}  // namespace deconvoy::worker
