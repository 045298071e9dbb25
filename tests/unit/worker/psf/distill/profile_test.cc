#include "worker/psf/distill/profile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace deconvoy::worker {
namespace {

std::vector<double> Line(int64_t extent, double centre, double sigma, double height, double offset) {
  std::vector<double> line;
  for (int64_t i = 0; i < extent; ++i) {
    const double d = (static_cast<double>(i) - centre) / sigma;
    line.push_back(offset + height * std::exp(-d * d / 2));
  }
  return line;
}

TEST(FitGaussian, FindsWhatMadeTheLine) {
  for (const double sigma : {0.8, 1.7, 4.0}) {
    const std::vector<double> line = Line(41, 19.3, sigma, 250, 12);
    const GaussianFit fit = FitGaussian(line, 2 * sigma);
    EXPECT_NEAR(fit.centre, 19.3, 1e-3);
    EXPECT_NEAR(fit.sigma, sigma, 1e-3 * sigma);
    EXPECT_NEAR(fit.height, 250, 0.5);
    EXPECT_NEAR(fit.offset, 12, 0.5);
    EXPECT_LT(fit.residual, 1e-4);
    EXPECT_NEAR(fit.fwhm(), 2.35482 * sigma, 0.01);
  }
}

TEST(FitGaussian, SaysHowFarOffItIs) {
  std::vector<double> box(41, 0);
  for (size_t i = 15; i < 26; ++i) box[i] = 1;
  EXPECT_GT(FitGaussian(box, 11).residual, 0.05);
}

TEST(FitGaussian, GivesUpOnWhatIsTooShortOrFlat) {
  EXPECT_EQ(FitGaussian(std::vector<double>{1, 3, 1}, 1).sigma, 0);
  EXPECT_EQ(FitGaussian(std::vector<double>(20, 7), 3).sigma, 0);
}

constexpr Shape3 kShape{9, 11, 13};

std::vector<float> Blob(double skew) {
  std::vector<float> values;
  for (int64_t i = 0; i < kShape.voxels(); ++i) {
    const auto z = static_cast<double>(i / 143 - 4), y = static_cast<double>(i / 13 % 11 - 5),
               x = static_cast<double>(i % 13 - 6);
    values.push_back(
        static_cast<float>(std::exp(-(z * z / 4 + y * y / 3 + x * x / 2) / 2) * (1 + skew * std::tanh(z))));
  }
  return values;
}

TEST(FitProfiles, GoThroughThePeakAlongEachAxis) {
  const auto fits = FitProfiles(Blob(0), kShape, {4.7, 4.1, 3.3});
  EXPECT_NEAR(fits[0].sigma, 2, 0.01);
  EXPECT_NEAR(fits[1].sigma, std::sqrt(3.0), 0.01);
  EXPECT_NEAR(fits[2].sigma, std::sqrt(2.0), 0.01);
}

TEST(MirrorCorrelations, AreOneOnlyAlongAxesOfSymmetry) {
  for (const double even : MirrorCorrelations(Blob(0), kShape)) EXPECT_NEAR(even, 1, 1e-6);
  const auto skewed = MirrorCorrelations(Blob(0.5), kShape);
  EXPECT_LT(skewed[0], 0.95);
  EXPECT_NEAR(skewed[1], 1, 1e-6);
  EXPECT_NEAR(skewed[2], 1, 1e-6);
}

}  // namespace
}  // namespace deconvoy::worker
