#include "server/spool/fetch_tracker.h"

#include <gtest/gtest.h>

namespace deconvoy::server {
namespace {

const Shape5 kShape{1, 2, 3, 4, 5};

FrameBox Planes(int64_t c, int64_t z, int64_t planes) {
  return {0, c, {{z, 0, 0}, {planes, 4, 5}}};
}

TEST(FetchTracker, CountsEachPlaneOnceInAnyOrder) {
  FetchTracker tracker;
  EXPECT_FALSE(tracker.Sent("v", kShape, Planes(1, 0, 3)));
  EXPECT_FALSE(tracker.Sent("v", kShape, Planes(1, 0, 3)));
  EXPECT_FALSE(tracker.Sent("v", kShape, Planes(0, 1, 2)));
  EXPECT_TRUE(tracker.Sent("v", kShape, Planes(0, 0, 1)));
  EXPECT_FALSE(tracker.Sent("v", kShape, Planes(0, 0, 1))) << "it begins anew";
}

TEST(FetchTracker, PartsOfPlanesDoNotCount) {
  FetchTracker tracker;
  const Shape5 plane{1, 1, 1, 4, 5};
  EXPECT_FALSE(tracker.Sent("v", plane, {0, 0, {{0, 0, 0}, {1, 3, 5}}})) << "the last row is missing";
  EXPECT_FALSE(tracker.Sent("v", plane, {0, 0, {{0, 0, 0}, {1, 4, 4}}})) << "the last column is missing";
  EXPECT_TRUE(tracker.Sent("v", plane, {0, 0, {{0, 3, 2}, {1, 1, 3}}})) << "the end of the plane, after the rest";
}

TEST(FetchTracker, ForgetsTheVolumeNotedLongestAgo) {
  FetchTracker tracker(2);
  tracker.Sent("a", kShape, Planes(0, 0, 3));
  tracker.Sent("b", kShape, Planes(0, 0, 3));
  tracker.Sent("a", kShape, Planes(0, 0, 3));
  tracker.Sent("c", kShape, Planes(0, 0, 3));
  EXPECT_TRUE(tracker.Sent("a", kShape, Planes(1, 0, 3)));
  EXPECT_FALSE(tracker.Sent("b", kShape, Planes(1, 0, 3))) << "its first channel is forgotten";
}

}  // namespace
}  // namespace deconvoy::server
