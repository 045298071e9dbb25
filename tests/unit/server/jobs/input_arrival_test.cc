#include "server/jobs/input_arrival.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "proto/contract/volume_layout.h"

namespace deconvoy::server {
namespace {

constexpr Shape5 kShape{2, 3, 5, 4, 6};

FrameBox PlanesOf(int64_t t, int64_t c, int64_t begin, int64_t end) {
  return {t, c, {{begin, 0, 0}, {end - begin, kShape.y, kShape.x}}};
}

TEST(InputArrival, HasWhatCame) {
  InputArrival input(ToProto(kShape));
  EXPECT_EQ(input.all_planes(), 30);
  EXPECT_FALSE(input.Has(0, 0, 0, 1));
  EXPECT_TRUE(input.Has(0, 0, 3, 3)) << "nothing is always there";
  input.Add({PlanesOf(0, 0, 0, 2), PlanesOf(1, 2, 4, 5)});
  EXPECT_TRUE(input.Has(0, 0, 0, 2));
  EXPECT_FALSE(input.Has(0, 0, 0, 3));
  EXPECT_FALSE(input.Has(0, 1, 0, 1));
  EXPECT_TRUE(input.Has(1, 2, 4, 5));
  EXPECT_FALSE(input.Has(1, 2, 3, 5));
  EXPECT_EQ(input.planes(), 3);
  EXPECT_FALSE(input.complete());
  input.Complete();
  EXPECT_TRUE(input.Has(0, 1, 0, 5));
  EXPECT_EQ(input.planes(), 30);
}

TEST(InputArrival, CountsABoxOnce) {
  InputArrival input(ToProto(kShape));
  const FrameBox half{0, 0, {{0, 0, 0}, {1, 2, 6}}};
  input.Add({half});
  input.Add({half, half});
  EXPECT_FALSE(input.Has(0, 0, 0, 1));
  input.Add({{0, 0, {{0, 2, 0}, {1, 2, 6}}}});
  EXPECT_TRUE(input.Has(0, 0, 0, 1));
  EXPECT_EQ(input.planes(), 1);
  input.Add({PlanesOf(0, 0, 1, 5)});
  input.Add({half, PlanesOf(0, 0, 1, 5)});
  EXPECT_EQ(input.planes(), 5) << "also of a frame that is whole";
}

// Every voxel a box of its own, in random order: a plane is there from its last voxel on.
TEST(InputArrival, KnowsAPlaneFromItsLastVoxelOn) {
  std::vector<FrameBox> boxes;
  for (int64_t z = 0; z < kShape.z; ++z)
    for (int64_t y = 0; y < kShape.y; ++y)
      for (int64_t x = 0; x < kShape.x; ++x) boxes.push_back({1, 1, {{z, y, x}, {1, 1, 1}}});
  std::mt19937 random(7);
  std::shuffle(boxes.begin(), boxes.end(), random);
  InputArrival input(ToProto(kShape));
  std::vector<int64_t> missing(static_cast<size_t>(kShape.z), kShape.y * kShape.x);
  for (const FrameBox& box : boxes) {
    input.Add({box});
    --missing[static_cast<size_t>(box.box.origin.z)];
    for (int64_t z = 0; z < kShape.z; ++z) {
      ASSERT_EQ(input.Has(1, 1, z, z + 1), missing[static_cast<size_t>(z)] == 0) << z;
    }
    ASSERT_EQ(input.planes(), std::count(missing.begin(), missing.end(), 0));
  }
}

}  // namespace
}  // namespace deconvoy::server
