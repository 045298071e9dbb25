#include "worker/ops/scaling_filter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace deconvoy::worker {
namespace {

TEST(ScalingFilterTest, SharesAllEnergyOutAndKeepsConstants) {
  for (const int degree : {1, 3, 5}) {
    EXPECT_NEAR(ScalingFilter(degree, 0), std::numbers::sqrt2, 1e-14) << degree;
    for (double w = -7; w < 7; w += 0.37) {
      const double low = ScalingFilter(degree, w), high = ScalingFilter(degree, w + std::numbers::pi);
      EXPECT_NEAR(low * low + high * high, 2, 1e-12) << degree << " at " << w;
      EXPECT_NEAR(ScalingFilter(degree, -w), low, 1e-14) << degree << " at " << w;
      EXPECT_NEAR(ScalingFilter(degree, w + 2 * std::numbers::pi), low, 1e-12) << degree << " at " << w;
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
