#include "worker/psf/pupil.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;

constexpr Shape3 kBox{9, 11, 11};

KnownOptics Objective(std::vector<ZernikeTerm> zernike = {}) {
  KnownOptics optics{
      .microscope = {.model = LightModel::kScalar, .emission = {}}, .z_um = 0.3, .y_um = 0.1, .x_um = 0.1};
  optics.microscope.emission.na = 1.2;
  optics.microscope.emission.wavelength_um = 0.5;
  optics.microscope.emission.zernike = std::move(zernike);
  return optics;
}

TEST(PupilModel, TellsWhatTheOpticsHave) {
  const PupilModel model(Objective({{11, 0.02}, {20, 0.01}}), kBox, {8, 11});
  EXPECT_THAT(model.given(), ElementsAre(0, ::testing::DoubleNear(0.04, 1e-12)));
}

TEST(PupilModel, IsThePsfOfTheMicroscope) {
  const KnownOptics aberrated = Objective({{20, 0.01}, {11, 0.03}, {8, 0.02}});
  const std::vector<float> expected =
      MakePsf(aberrated.microscope, {.shape = kBox, .z_um = 0.3, .y_um = 0.1, .x_um = 0.1}, 1);
  const PupilModel model(Objective({{20, 0.01}, {11, 0.005}}), kBox, {8, 11});
  const std::vector<float> found = model.At(std::vector<double>{0.04, 0.06});
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-8) << i;
}

// Against a difference twice as wide, whose error is of second order.
TEST(PupilModel, ItsSlopesAreThoseOfThePsf) {
  const PupilModel model(Objective(), kBox, {8, 11});
  const std::vector<double> at = {0.02, 0.05};
  for (size_t mode = 0; mode < 2; ++mode) {
    const std::vector<float> slope = model.SlopeAt(at, mode);
    std::vector<double> above = at, below = at;
    above[mode] += 0.01;
    below[mode] -= 0.01;
    const std::vector<float> high = model.At(above), low = model.At(below);
    double error = 0, size = 0;
    for (size_t i = 0; i < slope.size(); ++i) {
      const double expected = (high[i] - low[i]) / 0.02;
      error += (slope[i] - expected) * (slope[i] - expected);
      size += expected * expected;
    }
    EXPECT_GT(size, 0);
    EXPECT_LT(std::sqrt(error / size), 0.02) << mode;
    EXPECT_NEAR(std::accumulate(slope.begin(), slope.end(), 0.0), 0, 1e-3);
  }
}

}  // namespace
}  // namespace deconvoy::worker
