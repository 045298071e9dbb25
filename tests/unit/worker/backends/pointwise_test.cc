#include "worker/backends/cpu/pointwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker::cpu {
namespace {

TEST(PointwiseTest, DivergenceIsThatOfTheLibrarysLogarithm) {
  std::mt19937_64 random(testing::Seed());
  std::uniform_real_distribution<float> exponent(-30, 30);
  for (const size_t n : {1, 15, 16, 17, 1000}) {
    std::vector<float> v(n), y(n), mask(n);
    for (size_t i = 0; i < n; ++i) {
      v[i] = std::exp2(exponent(random));
      y[i] = i % 7 == 3 ? 0 : std::exp2(exponent(random));
      mask[i] = static_cast<float>(i % 3) / 2;
    }
    for (const float* m : {static_cast<const float*>(nullptr), static_cast<const float*>(mask.data())}) {
      long double expected = 0;
      for (size_t i = 0; i < n; ++i) {
        const long double model = std::max(v[i] + 0.5F, 1.0F), measured = y[i];
        const long double log = measured > 0 ? measured * std::log(measured / model) : 0;
        expected += (m != nullptr ? m[i] : 1.0F) * (model - measured + log);
      }
      const double found = DivergenceOfRow(v.data(), y.data(), m, 0.5F, 1, static_cast<int64_t>(n));
      EXPECT_NEAR(found, static_cast<double>(expected), 1e-11 * static_cast<double>(std::abs(expected)) + 1e-6) << n;
    }
  }
}

// A wrong estimate must be seen, and voxels that were not measured must not matter.
TEST(PointwiseTest, DivergenceShowsWhatIsNotANumberWhereItWasMeasured) {
  std::vector<float> v(20, 2), y(20, 3), mask(20, 1);
  v[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(DivergenceOfRow(v.data(), y.data(), nullptr, 0, 1, 20)));
  mask[17] = 0;
  EXPECT_NEAR(DivergenceOfRow(v.data(), y.data(), mask.data(), 0, 1, 20), 19 * (2 - 3 + 3 * std::log(1.5)), 1e-9);
}

}  // namespace
}  // namespace deconvoy::worker::cpu
