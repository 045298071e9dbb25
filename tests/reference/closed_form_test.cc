// Answers that are known without computing: what Richardson-Lucy must do with a delta PSF, a constant, and light.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

class ClosedFormTest : public ::testing::Test {
 protected:
  std::mt19937_64 random_{testing::Seed()};
};

TEST_F(ClosedFormTest, DeltaPsfReturnsTheInput) {
  const Volume image = RandomImage(6, 10, 12, random_);
  Psf delta{.h = Volume(3, 3, 3), .cz = 0, .cy = 2, .cx = 1};
  delta.h.at(0, 2, 1) = 1;
  for (const char* acceleration : {"none", "heavy-ball"}) {
    for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC}) {
      const Shape3 domain = boundary == v1::EXTEND ? Shape3{8, 12, 14} : Shape3{6, 10, 12};
      ASSERT_OK_AND_ASSIGN(const Volume result,
                           RunRl({.y = image,
                                  .domain = domain,
                                  .origin = {},
                                  .psf = delta,
                                  .parameters = {{"iterations", "10"}, {"acceleration", acceleration}},
                                  .boundary = boundary}));
      EXPECT_LE(RelativeError(result, image), 2e-6) << acceleration << " " << v1::Boundary_Name(boundary);
    }
  }
}

TEST_F(ClosedFormTest, AConstantStaysConstant) {
  const Volume constant(7, 9, 10, 42);
  const Psf psf = RandomPsf(3, 5, 4, random_);
  for (const char* initial : {"mean", "image"}) {
    for (const char* acceleration : {"none", "heavy-ball"}) {
      for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) {
        const Shape3 domain = boundary == v1::EXTEND ? Shape3{9, 13, 14} : Shape3{7, 9, 10};
        ASSERT_OK_AND_ASSIGN(
            const Volume result,
            RunRl({.y = constant,
                   .domain = domain,
                   .origin = {},
                   .psf = psf,
                   .parameters = {{"iterations", "30"}, {"acceleration", acceleration}, {"initial", initial}},
                   .boundary = boundary}));
        // Momentum adds up rounding, too.
        const double tolerance = 42 * (std::string(acceleration) == "none" ? 5e-5 : 3e-4);
        for (const double value : result.values) ASSERT_NEAR(value, 42, tolerance) << v1::Boundary_Name(boundary);
      }
    }
  }
}

TEST_F(ClosedFormTest, AConstantStaysConstantUnderEveryBackProjector) {
  const Volume constant(7, 9, 10, 42);
  const Psf psf = RandomPsf(3, 5, 4, random_);
  for (const char* projector : {"wiener-butterworth", "otf-masked-wiener"}) {
    for (const char* initial : {"mean", "image", "wiener"}) {
      for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) {
        const Shape3 domain = boundary == v1::EXTEND ? Shape3{9, 13, 14} : Shape3{7, 9, 10};
        ASSERT_OK_AND_ASSIGN(
            const Volume result,
            RunRl({.y = constant,
                   .domain = domain,
                   .origin = {},
                   .psf = psf,
                   .parameters = {{"iterations", "10"}, {"back_projector", projector}, {"initial", initial}},
                   .boundary = boundary}));
        for (const double value : result.values) {
          ASSERT_NEAR(value, 42, 42 * 3e-4) << projector << " " << initial << " " << v1::Boundary_Name(boundary);
        }
      }
    }
  }
}

TEST_F(ClosedFormTest, DeltaPsfReturnsTheInputUnderEveryBackProjector) {
  const Volume image = RandomImage(6, 10, 12, random_);
  const Psf delta{.h = Volume(1, 1, 1, 1), .cz = 0, .cy = 0, .cx = 0};
  for (const char* projector : {"wiener-butterworth", "otf-masked-wiener"}) {
    ASSERT_OK_AND_ASSIGN(
        const Volume result,
        RunRl({.y = image,
               .domain = {6, 10, 12},
               .origin = {},
               .psf = delta,
               .parameters = {{"iterations", "5"}, {"back_projector", projector}, {"acceleration", "none"}},
               .boundary = v1::PERIODIC}));
    EXPECT_LE(RelativeError(result, image), 2e-6) << projector;
  }
}

// Without background a matched step from anywhere leaves all the light: the sum of w x is that of y.
TEST_F(ClosedFormTest, TheClosingStepSetsTheLightRight) {
  const Psf psf = RandomPsf(5, 5, 3, random_);
  const Volume image = Convolve(RandomImage(8, 12, 10, random_), psf);
  for (const char* projector : {"wiener-butterworth", "otf-masked-wiener"}) {
    const auto light = [&](const char* steps) {
      const auto result = RunRl({.y = image,
                                 .domain = {8, 12, 10},
                                 .origin = {},
                                 .psf = psf,
                                 .parameters = {{"iterations", "4"},
                                                {"back_projector", projector},
                                                {"initial", "image"},
                                                {"acceleration", "none"},
                                                {"matched_steps", steps}},
                                 .boundary = v1::PERIODIC});
      EXPECT_OK(result);
      return MeanOf(*result) / MeanOf(image);
    };
    EXPECT_NEAR(light("1"), 1, 1e-5) << projector;
    EXPECT_GT(std::abs(light("0") - 1), 1e-4) << projector << ": nothing to set right";
  }
}

TEST_F(ClosedFormTest, PlainIterationsKeepTheLight) {
  const Volume image = RandomImage(8, 12, 10, random_);
  const Psf psf = RandomPsf(5, 5, 5, random_);
  ASSERT_OK_AND_ASSIGN(const Volume result, RunRl({.y = image,
                                                   .domain = {8, 12, 10},
                                                   .origin = {},
                                                   .psf = psf,
                                                   .parameters = {{"iterations", "40"}, {"acceleration", "none"}},
                                                   .boundary = v1::PERIODIC}));
  EXPECT_NEAR(MeanOf(result) / MeanOf(image), 1, 1e-5);
}

TEST_F(ClosedFormTest, DivergenceOfPlainIterationsNeverRises) {
  const Volume image = RandomImage(8, 12, 10, random_);
  const Psf psf = RandomPsf(5, 5, 3, random_);
  for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC}) {
    Objectives objectives;
    ASSERT_OK(RunRl({.y = image,
                     .domain = boundary == v1::EXTEND ? Shape3{12, 16, 12} : Shape3{8, 12, 10},
                     .origin = {},
                     .psf = psf,
                     .parameters = {{"iterations", "100"}, {"acceleration", "none"}, {"objective", "1"}},
                     .boundary = boundary,
                     .background = 3,
                     .monitor = &objectives}));
    ASSERT_EQ(objectives.values.size(), 100U);
    for (size_t k = 1; k < objectives.values.size(); ++k) {
      EXPECT_LE(objectives.values[k], objectives.values[k - 1] * (1 + 1e-6)) << "iteration " << k + 1;
    }
    EXPECT_LT(objectives.values.back(), 0.5 * objectives.values.front());
  }
}

TEST_F(ClosedFormTest, ObjectiveIsTheDivergenceOfTheFormula) {
  const Volume image = RandomImage(5, 8, 9, random_);
  const Psf psf = RandomPsf(3, 3, 3, random_);
  const double mean = MeanOf(image);
  std::vector<double> expected;
  const Volume ones(5, 8, 9, 1);
  RichardsonLucy(image, ones, psf, Volume(5, 8, 9, mean),
                 {.iterations = 10,
                  .acceleration = Acceleration::kHeavyBall,
                  .background = 2,
                  .mean = mean,
                  .back_projector = {},
                  .watch = [&](int, double d) { expected.push_back(d); }});
  Objectives objectives;
  ASSERT_OK(RunRl({.y = image,
                   .domain = {5, 8, 9},
                   .origin = {},
                   .psf = psf,
                   .parameters = {{"iterations", "10"}, {"objective", "1"}},
                   .boundary = v1::PERIODIC,
                   .background = 2,
                   .monitor = &objectives}));
  ASSERT_EQ(objectives.values.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(objectives.values[k] / expected[k], 1, 1e-4) << k;
}

TEST_F(ClosedFormTest, AccelerationsAreSooner) {
  const Psf psf = RandomPsf(5, 5, 3, random_);
  const Volume image = Convolve(RandomImage(8, 12, 10, random_), psf);
  const auto last_of = [&](const char* acceleration, const char* iterations) {
    Objectives objectives;
    EXPECT_OK(RunRl({.y = image,
                     .domain = {8, 12, 10},
                     .origin = {},
                     .psf = psf,
                     .parameters = {{"iterations", iterations}, {"acceleration", acceleration}, {"objective", "1"}},
                     .boundary = v1::PERIODIC,
                     .background = 3,
                     .monitor = &objectives}));
    return objectives.values.back();
  };
  const double plain = last_of("none", "30");
  EXPECT_LT(last_of("heavy-ball", "20"), plain);
  EXPECT_LT(last_of("biggs-andrews", "20"), plain);
}

TEST_F(ClosedFormTest, ABlankFrameGivesABlankEstimate) {
  const Volume blank(4, 6, 8, 0);
  const Psf psf = RandomPsf(3, 3, 3, random_);
  ASSERT_OK_AND_ASSIGN(const Volume result, RunRl({.y = blank,
                                                   .domain = {6, 8, 10},
                                                   .origin = {},
                                                   .psf = psf,
                                                   .parameters = {{"iterations", "5"}},
                                                   .boundary = v1::EXTEND}));
  for (const double value : result.values) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace deconvoy::reference
