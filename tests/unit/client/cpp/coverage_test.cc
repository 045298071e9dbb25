#include "client/cpp/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

TEST(Coverage, CountsEveryVoxelOnceHoweverBoxesOverlap) {
  std::mt19937_64 random(::deconvoy::testing::Seed());
  const auto below = [&random](int64_t end) { return static_cast<int64_t>(random() % static_cast<uint64_t>(end)); };
  const Shape5 shape{2, 1, 3, 6, 7};
  for (int round = 0; round < 100; ++round) {
    Coverage coverage(shape);
    std::vector<bool> there(static_cast<size_t>(shape.voxels()));
    for (int i = 0; i < 40; ++i) {
      const int64_t t = below(2), z = below(3), y = below(6), x = below(7);
      const FrameBox box{t, 0, {{z, y, x}, {1 + below(3 - z), 1 + below(6 - y), 1 + below(7 - x)}}};
      const auto before = std::count(there.begin(), there.end(), true);
      for (int64_t k = z; k < box.box.end().z; ++k)
        for (int64_t j = y; j < box.box.end().y; ++j)
          for (int64_t l = x; l < box.box.end().x; ++l)
            there[static_cast<size_t>(((t * 3 + k) * 6 + j) * 7 + l)] = true;
      const auto after = std::count(there.begin(), there.end(), true);
      EXPECT_EQ(coverage.Add(box), after - before);
      EXPECT_EQ(coverage.voxels(), after);
      EXPECT_EQ(coverage.complete(), after == shape.voxels());
    }
    for (int64_t plane = 0; plane < 6; ++plane) {
      const auto first = there.begin() + plane * 42;
      EXPECT_EQ(coverage.IsComplete(plane), std::all_of(first, first + 42, [](bool one) { return one; }));
    }
  }
}

TEST(Coverage, TellsWhatIsMissingByFrames) {
  Coverage coverage({1, 2, 4, 2, 2});
  coverage.Add({0, 0, {{1, 0, 0}, {1, 2, 2}}});
  coverage.Add({0, 1, {{1, 0, 0}, {3, 2, 2}}});
  coverage.Add({0, 0, {{0, 0, 0}, {1, 1, 2}}});
  const std::vector<FrameBox> expected = {
      {0, 0, {{0, 0, 0}, {1, 2, 2}}}, {0, 0, {{2, 0, 0}, {2, 2, 2}}}, {0, 1, {{0, 0, 0}, {1, 2, 2}}}};
  EXPECT_EQ(coverage.Missing(), expected);
}

}  // namespace
}  // namespace deconvoy::client
