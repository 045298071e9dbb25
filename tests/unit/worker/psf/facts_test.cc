#include "worker/psf/facts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace deconvoy::worker {
namespace {

// exp(-r^2 / 2 sigma^2) per axis, of sum 1.
std::vector<float> Gaussian(const Shape3& shape, double sz, double sy, double sx) {
  std::vector<double> values;
  double sum = 0;
  const auto part = [](int64_t i, int64_t n, double sigma) {
    const double d = static_cast<double>(i - n / 2) / sigma;
    return d * d / 2;
  };
  for (int64_t z = 0; z < shape.z; ++z)
    for (int64_t y = 0; y < shape.y; ++y)
      for (int64_t x = 0; x < shape.x; ++x) {
        values.push_back(std::exp(-part(z, shape.z, sz) - part(y, shape.y, sy) - part(x, shape.x, sx)));
        sum += values.back();
      }
  std::vector<float> psf;
  for (const double v : values) psf.push_back(static_cast<float>(v / sum));
  return psf;
}

TEST(PsfFacts, OfAGaussian) {
  const Shape3 shape{41, 31, 25};
  const PsfFacts facts = MeasurePsf(Gaussian(shape, 4, 3, 2), shape, {shape.z / 2, shape.y / 2, shape.x / 2});
  const double fwhm_per_sigma = 2 * std::sqrt(2 * std::numbers::ln2);
  const double sigmas[] = {4, 3, 2};
  for (size_t axis = 0; axis < 3; ++axis) {
    const PsfAxis& a = facts.axes[axis];
    EXPECT_NEAR(a.fwhm, sigmas[axis] * fwhm_per_sigma, 0.05) << axis;
    EXPECT_TRUE(a.resolved());
    // exp(-2 pi^2 sigma^2 k^2) at k = 1/FWHM and half of it
    const double exponent = 2 * std::pow(std::numbers::pi * sigmas[axis] / a.fwhm, 2);
    EXPECT_NEAR(a.at_cutoff, std::exp(-exponent), 2e-4) << axis;
    EXPECT_NEAR(a.at_half_cutoff, std::exp(-exponent / 4), 2e-4) << axis;
  }
}

TEST(PsfFacts, TheLeastRealPartDependsOnTheCentre) {
  EXPECT_NEAR(MeasurePsf(Gaussian({1, 1, 25}, 4, 3, 2), {1, 1, 25}, {0, 0, 12}).axes[2].least_real, 0, 1e-3);
  EXPECT_LT(MeasurePsf(Gaussian({1, 1, 25}, 4, 3, 2), {1, 1, 25}, {0, 0, 9}).axes[2].least_real, -0.1);
  const std::vector<float> box(5, 0.2F);  // a box has negative lobes: -0.25 at 1.43 pi / 5
  EXPECT_NEAR(MeasurePsf(box, {1, 1, 5}, {0, 0, 2}).axes[2].least_real, -0.25, 0.02);
}

TEST(PsfFacts, AtTheCornerSignsAlternate) {
  const std::vector<float> psf{0.5F, 0.25F, 0.125F, 0.125F};  // y 0: 0.5, 0.25; y 1: 0.125, 0.125
  EXPECT_NEAR(MeasurePsf(psf, {1, 2, 2}, {0, 0, 0}).at_corner, 0.25, 1e-7);
  EXPECT_NEAR(MeasurePsf(psf, {1, 1, 4}, {0, 0, 1}).at_corner, 0.25, 1e-7);
}

TEST(PsfFacts, ASingleVoxelIsOneWideAndNotResolved) {
  const std::vector<float> delta{0, 0, 0, 1, 0};
  const PsfFacts facts = MeasurePsf(delta, {1, 1, 5}, {0, 0, 2});
  for (const PsfAxis& axis : facts.axes) {
    EXPECT_EQ(axis.fwhm, 1);
    EXPECT_FALSE(axis.resolved());
    EXPECT_NEAR(axis.at_cutoff, 1, 1e-12);
  }
}

TEST(PsfFacts, OneThatNeverFallsToHalfIsAsWideAsItsBox) {
  const std::vector<float> flat(7, 1.0F / 7);
  const PsfFacts facts = MeasurePsf(flat, {7, 1, 1}, {3, 0, 0});
  EXPECT_NEAR(facts.axes[0].fwhm, 7, 1e-6);
  EXPECT_NEAR(facts.axes[0].at_cutoff, 0, 1e-6);  // the first zero of a box of 7
  EXPECT_NEAR(facts.axes[0].at_half_cutoff, 1 / (7 * std::sin(std::numbers::pi / 14)), 1e-6);
}

TEST(PsfFacts, WidthIsLinearBetweenVoxelsAndThroughTheMaximum) {
  // Half of 8 lies halfway between 6 and 2 on the left, at the voxel of 4 on the right.
  const std::vector<float> line{2, 6, 8, 4, 0};
  EXPECT_NEAR(MeasurePsf(line, {1, 1, 5}, {0, 0, 2}).axes[2].fwhm, 1.5 + 1, 1e-6);
  const std::vector<float> planes{1, 1, 1, 1, 9, 1, 5, 5, 5};
  EXPECT_NEAR(MeasurePsf(planes, {1, 3, 3}, {0, 1, 1}).axes[2].fwhm, 2 * (4.5 / 8), 1e-6);
  EXPECT_NEAR(MeasurePsf(planes, {1, 3, 3}, {0, 1, 1}).axes[1].fwhm, 4.5 / 8 + 1 + 0.5 / 5, 1e-6);
}

}  // namespace
}  // namespace deconvoy::worker
