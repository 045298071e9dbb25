#include "server/spool/box_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

TEST(BoxIndex, BoxesThatTouchDoNotMeet) {
  BoxIndex index({{{{0, 0, 0}, {2, 2, 2}}, 7}});
  EXPECT_FALSE(index.FindOverlap({{2, 0, 0}, {1, 2, 2}}).has_value());
  EXPECT_FALSE(index.FindOverlap({{0, 2, 0}, {2, 1, 2}}).has_value());
  EXPECT_FALSE(index.FindOverlap({{0, 0, 2}, {2, 2, 1}}).has_value());
  const auto found = index.FindOverlap({{1, 1, 1}, {5, 5, 5}});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->box, (Box3{{0, 0, 0}, {2, 2, 2}}));
  EXPECT_EQ(found->crc32c, 7u);
}

TEST(BoxIndex, InsertingTheSameAgainChangesNothing) {
  BoxIndex index;
  index.Insert({{{1, 2, 3}, {1, 1, 1}}, 4});
  index.Insert({{{1, 2, 3}, {1, 1, 1}}, 4});
  EXPECT_EQ(index.size(), 1u);
}

TEST(BoxIndex, RemovedBoxIsNotFound) {
  BoxIndex index;
  index.Insert({{{1, 2, 3}, {2, 2, 2}}, 4});
  index.Insert({{{5, 2, 3}, {2, 2, 2}}, 4});
  index.Remove({{{1, 2, 3}, {2, 2, 2}}, 4});
  index.Remove({{{9, 9, 9}, {1, 1, 1}}, 4});
  EXPECT_EQ(index.size(), 1u);
  EXPECT_FALSE(index.FindOverlap({{1, 2, 3}, {1, 1, 1}}).has_value());
}

TEST(BoxIndex, FindsAsComparingWithEachBoxDoes) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  const auto below = [&](int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(random); };
  BoxIndex index;
  std::vector<Box3> boxes;
  for (int i = 0; i < 3000; ++i) {
    const Box3 box{{below(40), below(40), below(40)}, {1 + below(6), 1 + below(6), 1 + below(6)}};
    const bool meets =
        std::any_of(boxes.begin(), boxes.end(), [&](const Box3& other) { return !Intersect(other, box).empty(); });
    ASSERT_EQ(index.FindOverlap(box).has_value(), meets);
    if (meets) continue;
    index.Insert({box, 0});
    boxes.push_back(box);
  }
  EXPECT_GT(boxes.size(), 50u);
}

// Quadratic behaviour would take minutes.
TEST(BoxIndex, HoldsAHundredThousandBoxes) {
  std::vector<IndexedBox> half;
  BoxIndex grown;
  for (int64_t i = 0; i < 100'000; ++i) {
    const IndexedBox box{{{i / 100, (i % 100) * 8, 0}, {1, 8, 1024}}, static_cast<uint32_t>(i)};
    ASSERT_FALSE(grown.FindOverlap(box.box).has_value());
    grown.Insert(box);
    half.push_back(box);
  }
  const BoxIndex packed(half);
  EXPECT_EQ(packed.size(), 100'000u);
  EXPECT_EQ(packed.FindOverlap({{999, 799, 1023}, {1, 1, 1}})->crc32c, 99'999u);
  EXPECT_EQ(grown.FindOverlap({{999, 799, 1023}, {1, 1, 1}})->crc32c, 99'999u);
}

TEST(BoxIndex, ReachesTheLargestCoordinates) {
  constexpr int64_t kLast = (1 << 20) - 1;
  BoxIndex index({{{{kLast, kLast, kLast}, {1, 1, 1}}, 1}});
  EXPECT_TRUE(index.FindOverlap({{kLast, kLast, kLast}, {1, 1, 1}}).has_value());
  EXPECT_FALSE(index.FindOverlap({{kLast, kLast, kLast - 1}, {1, 1, 1}}).has_value());
}

}  // namespace
}  // namespace deconvoy::server
