#include "proto/contract/geometry.h"

#include <gtest/gtest.h>

namespace deconvoy {
namespace {

TEST(Box3, ContainsItselfAndWhatIsInside) {
  const Box3 box{{1, 2, 3}, {4, 5, 6}};
  EXPECT_TRUE(box.Contains(box));
  EXPECT_TRUE(box.Contains({{2, 3, 4}, {1, 1, 1}}));
  EXPECT_FALSE(box.Contains({{0, 2, 3}, {4, 5, 6}}));
  EXPECT_FALSE(box.Contains({{1, 2, 3}, {4, 5, 7}}));
  EXPECT_FALSE(box.Contains({{1, 6, 3}, {4, 2, 6}}));
}

TEST(Box3, IntersectionIsWhatBothHold) {
  EXPECT_EQ(Intersect({{0, 0, 0}, {4, 4, 4}}, {{2, 1, 3}, {9, 2, 9}}), (Box3{{2, 1, 3}, {2, 2, 1}}));
  EXPECT_TRUE(Intersect({{0, 0, 0}, {4, 4, 4}}, {{4, 0, 0}, {1, 4, 4}}).empty());
  EXPECT_EQ(Intersect({{0, 0, 0}, {4, 4, 4}}, {{9, 9, 9}, {1, 1, 1}}).shape, Shape3{});
}

TEST(Shapes, CountVoxelsAndFrames) {
  const Shape5 shape{2, 3, 4, 5, 6};
  EXPECT_EQ(shape.voxels(), 720);
  EXPECT_EQ(shape.frames(), 6);
  EXPECT_EQ(shape.frame(), (Shape3{4, 5, 6}));
  EXPECT_TRUE((Shape3{1, 0, 1}.empty()));
  EXPECT_EQ((Voxel{1, 2, 3} + Voxel{1, 1, 1} - Voxel{0, 3, 0}), (Voxel{2, 0, 4}));
}

}  // namespace
}  // namespace deconvoy
