// The sharing out of work, which the device has in common with these loops.
#include "worker/backends/cuda/launch.h"

#include <gtest/gtest.h>

#include <vector>

#include "worker/backends/cuda/fields.h"

namespace deconvoy::worker::cuda {
namespace {

const Shape3 kShapes[] = {{1, 1, 1},   {3, 5, 7},  {1, 1, 300}, {300, 1, 1},
                          {1, 300, 1}, {2, 3, 64}, {9, 2, 65},  {17, 31, 3}};

TEST(LaunchTest, EveryPositionIsVisitedOnce) {
  for (const Shape3& shape : kShapes) {
    for (const int64_t blocks : {1, 2, 3, 7, 100}) {
      std::vector<int> visits(static_cast<size_t>(shape.voxels()), 0);
      for (int64_t block = 0; block < blocks; ++block) {
        for (int thread = 0; thread < kThreads; ++thread) {
          VisitShare(shape, block, blocks, thread / kLanes, thread % kLanes, [&](int64_t z, int64_t y, int64_t x) {
            ASSERT_TRUE(z < shape.z && y < shape.y && x < shape.x);
            ++visits[static_cast<size_t>((z * shape.y + y) * shape.x + x)];
          });
        }
      }
      for (const int count : visits) ASSERT_EQ(count, 1) << shape.z << "x" << shape.y << "x" << shape.x;
    }
  }
}

TEST(LaunchTest, LinesVisitEveryNumberOnce) {
  for (const int64_t n : {1, 1023, 1024, 1025, 5000}) {
    std::vector<int> visits(static_cast<size_t>(n), 0);
    EXPECT_EQ(ForEachOf({}, n, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; }), 0);
    for (const int count : visits) ASSERT_EQ(count, 1) << n;
  }
}

// Adds the position's number.
struct AddNumber {
  Shape3 shape;
  void operator()(int64_t z, int64_t y, int64_t x, Totals<1>& sums) const {
    sums.value[0] += static_cast<double>((z * shape.y + y) * shape.x + x + 1);
  }
};

TEST(LaunchTest, SumsMissNothingAndAddUp) {
  for (const Shape3& shape : kShapes) {
    std::vector<Totals<1>> sums(static_cast<size_t>(SumsFor(shape)), Totals<1>{{-1}});
    const auto n = static_cast<double>(shape.voxels());
    const auto total = [&] {
      double sum = 0;
      for (const Totals<1>& part : sums) sum += part.value[0];
      return sum;
    };
    EXPECT_EQ(Sum({}, shape, /*onto=*/false, sums.data(), AddNumber{shape}), 0);
    EXPECT_EQ(total(), n * (n + 1) / 2);
    EXPECT_EQ(Sum({}, shape, /*onto=*/true, sums.data(), AddNumber{shape}), 0);
    EXPECT_EQ(total(), n * (n + 1));
  }
}

TEST(LaunchTest, SumsFitTheirRoom) {
  EXPECT_EQ(SumsFor({1, 1, 1}), 1);
  EXPECT_EQ(SumsFor({1, 9, 5}), 3);
  EXPECT_EQ(SumsFor({100000, 100000, 5}), kMostSums);
}

}  // namespace
}  // namespace deconvoy::worker::cuda
