#include "worker/imaging/robust_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

TEST(RobustFitTest, GoesThroughThePointsOfAParabola) {
  const std::vector<double> x = {-1, 0, 0.5, 2, 3}, weights = {1, 2, 1, 1, 3};
  std::vector<double> y;
  for (const double v : x) y.push_back(2 - 3 * v + 0.5 * v * v);
  const auto fit = FitPolynomial(x, y, weights, 2);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->coefficients[0], 2, 1e-9);
  EXPECT_NEAR(fit->coefficients[1], -3, 1e-9);
  EXPECT_NEAR(fit->coefficients[2], 0.5, 1e-9);
  EXPECT_NEAR(fit->At(10), 22, 1e-7);
}

TEST(RobustFitTest, TellsHowWellALineIsKnown) {
  // Of four points of variance 4 at -1, -1, 1, 1 the mean has the variance 1, and so has the slope.
  const auto fit = FitPolynomial(std::vector<double>{-1, -1, 1, 1}, std::vector<double>{0, 2, 4, 6},
                                 std::vector<double>(4, 0.25), 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->coefficients[0], 3, 1e-12);
  EXPECT_NEAR(fit->coefficients[1], 2, 1e-12);
  EXPECT_NEAR(fit->variances[0], 1, 1e-12);
  EXPECT_NEAR(fit->variances[1], 1, 1e-12);
}

TEST(RobustFitTest, SaysWhenPointsDoNotDetermineIt) {
  const std::vector<double> same(5, 2.0), y = {1, 2, 3, 4, 5}, weights(5, 1.0);
  EXPECT_FALSE(FitPolynomial(same, y, weights, 1).has_value());
  EXPECT_TRUE(FitPolynomial(same, y, weights, 0).has_value());
  EXPECT_FALSE(FitPolynomial({}, {}, {}, 0).has_value());
}

TEST(RobustFitTest, LeavesOutliersOut) {
  std::vector<double> x, y;
  Random random(3);
  for (int i = 0; i < 60; ++i) {
    x.push_back(i / 30.0);
    y.push_back(1 + 2 * x.back() + 0.01 * random.Normal() + (i % 5 == 0 ? 3 : 0));
  }
  const auto fit = FitRobustly(x, y, 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->polynomial.coefficients[0], 1, 0.01);
  EXPECT_NEAR(fit->polynomial.coefficients[1], 2, 0.01);
  EXPECT_NEAR(fit->spread, 0.01, 0.006);
}

TEST(RobustFitTest, FindsTheMiddle) {
  std::vector<double> odd = {5, 1, 3}, even = {4, 1, 3, 2}, none;
  EXPECT_EQ(MedianOf(odd), 3);
  EXPECT_EQ(MedianOf(even), 2.5);
  EXPECT_EQ(MedianOf(none), 0);
}

}  // namespace
}  // namespace deconvoy::worker
