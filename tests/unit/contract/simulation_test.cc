#include "proto/contract/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

TEST(SigmaOfFwhm, HalvesTheGaussianAtHalfTheWidth) {
  const double sigma = SigmaOfFwhm(0.6);
  EXPECT_NEAR(std::exp(-0.3 * 0.3 / (2 * sigma * sigma)), 0.5, 1e-12);
}

TEST(GaussianPsfShape, HoldsTheReachWithOddExtents) {
  ASSERT_OK_AND_ASSIGN(const Shape3 shape, GaussianPsfShape(Size(0.7, 0.25, 0.25), Size(0.2, 0.1, 0.065)));
  // 3.5 sigma: 1.0404 um and 0.3716 um.
  EXPECT_EQ(shape, (Shape3{2 * 6 + 1, 2 * 4 + 1, 2 * 6 + 1}));
}

TEST(GaussianPsfShape, ReachOfWholeVoxelsStaysWhole) {
  const double sigma = 1 / kGaussianReach;  // reach of one voxel of 1 um
  const double fwhm = 2.3548200450309493 * sigma;
  ASSERT_OK_AND_ASSIGN(const Shape3 shape, GaussianPsfShape(Size(fwhm, 2 * fwhm, 3 * fwhm), Size(1, 1, 1)));
  EXPECT_EQ(shape, (Shape3{3, 5, 7}));
}

TEST(GaussianPsfShape, RefusesWhatIsNoLength) {
  for (const double wrong : {0.0, -0.1, std::nan(""), std::numeric_limits<double>::infinity(), 1e7}) {
    const absl::Status width = GaussianPsfShape(Size(1, wrong, 1), Size(1, 1, 1)).status();
    EXPECT_EQ(ReasonOf(width), v1::INVALID_FIELD) << wrong;
    EXPECT_EQ(InfoOf(width).field(), "simulate.psf_fwhm.y_um");
    const absl::Status voxel = GaussianPsfShape(Size(1, 1, 1), Size(1, 1, wrong)).status();
    EXPECT_EQ(ReasonOf(voxel), v1::INVALID_FIELD) << wrong;
    EXPECT_EQ(InfoOf(voxel).field(), "simulate.voxel_size.x_um");
  }
}

TEST(GaussianPsfShape, RefusesWhatIsTooLarge) {
  EXPECT_EQ(ReasonOf(GaussianPsfShape(Size(1e6, 1, 1), Size(1e-3, 1, 1)).status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(GaussianPsfShape(Size(1e6, 1, 1), Size(1e-300, 1, 1)).status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(GaussianPsfShape(Size(400, 400, 400), Size(1, 1, 1)).status()), v1::LIMIT_EXCEEDED);
  EXPECT_OK(GaussianPsfShape(Size(200, 200, 200), Size(1, 1, 1)));
}

}  // namespace
}  // namespace deconvoy
