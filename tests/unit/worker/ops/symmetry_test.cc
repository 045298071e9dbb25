#include "worker/ops/symmetry.h"

#include <gtest/gtest.h>

#include <vector>

namespace deconvoy::worker {
namespace {

TEST(IsSymmetricTest, ComparesWithTheReflectionAboutTheCentre) {
  const std::vector<float> even{1, 2, 3, 2, 1};
  EXPECT_TRUE(IsSymmetric(even, {1, 1, 5}, {0, 0, 2}));
  EXPECT_TRUE(IsSymmetric(even, {5, 1, 1}, {2, 0, 0}));
  EXPECT_FALSE(IsSymmetric(even, {1, 1, 5}, {0, 0, 1}));
  EXPECT_FALSE(IsSymmetric(std::vector<float>{1, 2, 3, 2, 1.001F}, {1, 1, 5}, {0, 0, 2}));
  EXPECT_TRUE(IsSymmetric(std::vector<float>{1e6F, 2e6F, 3e6F, 2e6F, 1e6F + 1}, {1, 1, 5}, {0, 0, 2})) << "rounding";
  // What has no partner inside is compared with 0.
  EXPECT_TRUE(IsSymmetric(std::vector<float>{0, 1, 2, 1}, {1, 1, 4}, {0, 0, 2}));
  EXPECT_FALSE(IsSymmetric(std::vector<float>{0.5F, 1, 2, 1}, {1, 1, 4}, {0, 0, 2}));
  // About a point, not in each axis.
  EXPECT_TRUE(IsSymmetric(std::vector<float>{1, 0, 0, 0, 2, 0, 0, 0, 1}, {1, 3, 3}, {0, 1, 1}));
  EXPECT_FALSE(IsSymmetric(std::vector<float>{1, 0, 1, 0, 2, 0, 0, 0, 0}, {1, 3, 3}, {0, 1, 1}));
}

}  // namespace
}  // namespace deconvoy::worker
