#include "worker/imaging/projection.h"

#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace deconvoy::worker {
namespace {

std::vector<float> Project(v1::ProjectSpec::Axis axis) {
  const std::vector<float> values{1, 2, 3, 4, 5, -6, 6, 5, 4, 3, 2, -1};  // 2 x 2 x 3
  Projection projection({2, 2, 3}, axis);
  projection.AddPlane(std::span(values).first(6));
  projection.AddPlane(std::span(values).last(6));
  return projection.values();
}

TEST(Projection, AlongZGivesRowsAndColumns) {
  EXPECT_EQ(Project(v1::ProjectSpec::Z), (std::vector<float>{6, 5, 4, 4, 5, -1}));
  EXPECT_EQ(ProjectedShape({2, 2, 3}, v1::ProjectSpec::Z), (Shape3{1, 2, 3}));
}

TEST(Projection, AlongYGivesPlanesAndColumns) {
  EXPECT_EQ(Project(v1::ProjectSpec::Y), (std::vector<float>{4, 5, 3, 6, 5, 4}));
  EXPECT_EQ(ProjectedShape({2, 2, 3}, v1::ProjectSpec::Y), (Shape3{2, 1, 3}));
}

TEST(Projection, AlongXGivesPlanesAndRows) {
  EXPECT_EQ(Project(v1::ProjectSpec::X), (std::vector<float>{3, 5, 6, 3}));
  EXPECT_EQ(ProjectedShape({2, 2, 3}, v1::ProjectSpec::X), (Shape3{2, 2, 1}));
}

}  // namespace
}  // namespace deconvoy::worker
