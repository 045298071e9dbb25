#include "worker/learned/softplus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace deconvoy::worker::learned {
namespace {

TEST(Softplus, IsTheLogarithmOfOneAndTheExponential) {
  std::vector<float> x;
  for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.013F);
  std::vector<float> result(x.size());
  Softplus(x.data(), static_cast<int64_t>(x.size()), result.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = std::max<double>(x[i], 0) + std::log1p(std::exp(-std::fabs(static_cast<double>(x[i]))));
    ASSERT_NEAR(result[i] / expected, 1, 4e-7) << x[i];
  }
}

TEST(Softplus, OfTheFarthestValuesIsTheirPositivePart) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> x{-kInfinity, -1e30F, -200, 200, 1e30F, kInfinity, std::nanf("")};
  Softplus(x.data(), static_cast<int64_t>(x.size()), x.data());
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(x[i], 0, 1e-17);
  EXPECT_EQ(x[3], 200);
  EXPECT_EQ(x[4], 1e30F);
  EXPECT_EQ(x[5], kInfinity);
  EXPECT_TRUE(std::isnan(x[6]));
}

}  // namespace
}  // namespace deconvoy::worker::learned
