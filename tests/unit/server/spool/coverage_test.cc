#include "server/spool/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;

constexpr size_t kNoLimit = 1'000'000;

// One flag per voxel, to count against.
class Voxels {
 public:
  explicit Voxels(const Shape3& shape) : shape_(shape), counts_(static_cast<size_t>(shape.voxels())) {}
  void Add(const Box3& box) {
    for (int64_t z = box.origin.z; z < box.end().z; ++z) {
      for (int64_t y = box.origin.y; y < box.end().y; ++y) {
        for (int64_t x = box.origin.x; x < box.end().x; ++x) {
          ++counts_[static_cast<size_t>((z * shape_.y + y) * shape_.x + x)];
        }
      }
    }
  }
  bool Free(const Box3& box) const {
    Voxels other(shape_);
    other.Add(box);
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0 && other.counts_[i] > 0) return false;
    }
    return true;
  }
  bool AllAreOne() const {
    return std::all_of(counts_.begin(), counts_.end(), [](int count) { return count == 1; });
  }

 private:
  Shape3 shape_;
  std::vector<int> counts_;
};

TEST(MissingBoxes, OfNothingIsTheFrame) {
  EXPECT_THAT(MissingBoxes({3, 4, 5}, {}, kNoLimit), ElementsAre(Box3{{}, {3, 4, 5}}));
}

TEST(MissingBoxes, OfEverythingIsNothing) {
  EXPECT_TRUE(MissingBoxes({3, 4, 5}, {{{}, {3, 4, 5}}}, kNoLimit).empty());
}

TEST(MissingBoxes, AroundABoxInTheMiddle) {
  EXPECT_THAT(MissingBoxes({3, 3, 3}, {{{1, 1, 1}, {1, 1, 1}}}, kNoLimit),
              ElementsAre(Box3{{0, 0, 0}, {1, 3, 3}}, Box3{{1, 0, 0}, {1, 1, 3}}, Box3{{1, 1, 0}, {1, 1, 1}},
                          Box3{{1, 1, 2}, {1, 1, 1}}, Box3{{1, 2, 0}, {1, 1, 3}}, Box3{{2, 0, 0}, {1, 3, 3}}));
}

TEST(MissingBoxes, WholePlanesAreOneBox) {
  const std::vector<Box3> there = {{{0, 0, 0}, {2, 4, 4}}, {{7, 0, 0}, {1, 4, 4}}};
  EXPECT_THAT(MissingBoxes({10, 4, 4}, there, kNoLimit),
              ElementsAre(Box3{{2, 0, 0}, {5, 4, 4}}, Box3{{8, 0, 0}, {2, 4, 4}}));
}

TEST(MissingBoxes, StopsAtTheLimit) {
  std::vector<Box3> odd_planes;
  for (int64_t z = 1; z < 100; z += 2) odd_planes.push_back({{z, 0, 0}, {1, 2, 2}});
  EXPECT_EQ(MissingBoxes({100, 2, 2}, odd_planes, 7).size(), 7u);
  EXPECT_EQ(MissingBoxes({100, 2, 2}, odd_planes, kNoLimit).size(), 50u);
  EXPECT_TRUE(MissingBoxes({100, 2, 2}, odd_planes, 0).empty());
}

TEST(MissingBoxes, CompletesAnySetOfBoxesExactly) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  const auto below = [&](int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(random); };
  for (int round = 0; round < 300; ++round) {
    const Shape3 frame{1 + below(6), 1 + below(6), 1 + below(6)};
    Voxels voxels(frame);
    std::vector<Box3> boxes;
    for (int tries = 0; tries < 12; ++tries) {
      const Voxel origin{below(frame.z), below(frame.y), below(frame.x)};
      const Box3 box{origin,
                     {1 + below(frame.z - origin.z), 1 + below(frame.y - origin.y), 1 + below(frame.x - origin.x)}};
      if (!voxels.Free(box)) continue;
      voxels.Add(box);
      boxes.push_back(box);
    }
    for (const Box3& box : MissingBoxes(frame, boxes, kNoLimit)) voxels.Add(box);
    ASSERT_TRUE(voxels.AllAreOne()) << "round " << round;
  }
}

TEST(MissingBoxes, IsQuickForManyBoxes) {
  std::vector<Box3> boxes;
  for (int64_t z = 0; z < 1000; ++z) {
    for (int64_t y = 0; y < 100; ++y) {
      if (z != 999 || y != 50) boxes.push_back({{z, y * 8, 0}, {1, 8, 1024}});
    }
  }
  EXPECT_THAT(MissingBoxes({1000, 800, 1024}, boxes, 10), ElementsAre(Box3{{999, 400, 0}, {1, 8, 1024}}));
}

TEST(CoveredVoxels, CountsTheCommonPart) {
  const std::vector<Box3> boxes = {{{0, 0, 0}, {1, 4, 4}}, {{1, 0, 0}, {1, 2, 4}}};
  EXPECT_EQ(CoveredVoxels({{0, 1, 1}, {2, 2, 2}}, boxes), 4 + 2);
  EXPECT_EQ(CoveredVoxels({{2, 0, 0}, {1, 4, 4}}, boxes), 0);
}

}  // namespace
}  // namespace deconvoy::server
