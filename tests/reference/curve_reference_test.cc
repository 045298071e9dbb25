// The residuals that the worker's methods tell against their definition in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "tests/reference/engine.h"
#include "tests/reference/linear_methods.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/splittings.h"
#include "tests/reference/wavelets.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

using Parameters = std::map<std::string, std::string>;

constexpr Shape3 kShape{6, 10, 12};
constexpr double kBackground = 2;
constexpr int kIterations = 5;

// The sum of m (y - b - v)^2.
double Squares(const Volume& y, const Volume& m, const Volume& v) {
  double sum = 0;
  for (size_t i = 0; i < y.values.size(); ++i) {
    sum += m.values[i] * std::pow(y.values[i] - kBackground - v.values[i], 2);
  }
  return sum;
}

class CurveReferenceTest : public ::testing::Test {
 protected:
  // What all iterations of a run tell, all of the domain measured.
  std::vector<v1::ObjectiveValue> Told(const std::string& method, Parameters parameters, int iterations = kIterations) {
    parameters["iterations"] = std::to_string(iterations);
    parameters["objective"] = "1";
    Objectives objectives;
    EXPECT_OK(RunMethod(method, {.y = image_,
                                 .domain = kShape,
                                 .origin = {},
                                 .psf = psf_,
                                 .parameters = parameters,
                                 .boundary = v1::PERIODIC,
                                 .background = kBackground,
                                 .monitor = &objectives}));
    EXPECT_EQ(objectives.told.size(), static_cast<size_t>(iterations));
    return objectives.told;
  }

  // That of iteration k + 1 is the residual of estimate(k), or under momentum of the point ahead of it.
  template <typename Estimate>
  void Expect(const std::vector<v1::ObjectiveValue>& told, bool nesterov, const Estimate& estimate) {
    double t = 1;
    for (int k = 0; k < kIterations; ++k) {
      const double next = (1 + std::sqrt(1 + 4 * t * t)) / 2, alpha = nesterov ? (t - 1) / next : 0;
      t = next;
      const Volume x = estimate(k), previous = estimate(std::max(k - 1, 0));
      Volume p = x;
      for (size_t i = 0; i < p.values.size(); ++i) p.values[i] += alpha * (x.values[i] - previous.values[i]);
      const v1::ObjectiveValue& value = told.at(static_cast<size_t>(k));
      EXPECT_NEAR(value.residual_squares() / Squares(image_, ones_, Convolve(p, psf_)), 1, 1e-5) << k;
      EXPECT_NEAR(value.data_squares() / Squares(image_, ones_, Volume(6, 10, 12)), 1, 1e-6) << k;
    }
  }

  std::mt19937_64 random_{testing::Seed()};
  const Volume image_ = RandomImage(kShape.z, kShape.y, kShape.x, random_);
  const Psf psf_ = RandomPsf(3, 5, 4, random_);
  const Volume ones_ = Volume(kShape.z, kShape.y, kShape.x, 1);
};

TEST_F(CurveReferenceTest, RichardsonLucy) {
  const double mean = MeanOf(image_);
  Expect(Told("rl", {{"acceleration", "none"}}), false, [&](int iterations) {
    return RichardsonLucy(image_, ones_, psf_, Volume(6, 10, 12, mean),
                          {.iterations = iterations, .background = kBackground, .mean = mean});
  });
}

TEST_F(CurveReferenceTest, TikhonovMiller) {
  for (const bool nesterov : {false, true}) {
    const auto told = Told("tikhonov-miller",
                           {{"step", "0.1"}, {"lambda", "0.01"}, {"acceleration", nesterov ? "nesterov" : "none"}});
    Expect(told, nesterov, [&](int iterations) {
      return Descend(
          image_, ones_, psf_,
          {.iterations = iterations, .step = 0.1, .background = kBackground, .lambda = 0.01, .nesterov = nesterov});
    });
  }
}

TEST_F(CurveReferenceTest, Fista) {
  Expect(Told("fista", {{"lambda", "20"}, {"scales", "2"}}), true, [&](int iterations) {
    return Descend(
        image_, ones_, psf_,
        {.iterations = iterations, .background = kBackground, .nesterov = true, .shrink = [](const Volume& x) {
           return ShrinkWavelets(x, 0, 2, 10, {0, 0, 0}).volume;
         }});
  });
}

// The residual is that of x, which ends where the result is.
TEST_F(CurveReferenceTest, Admm) {
  for (const char* noise : {"poisson", "gaussian"}) {
    const Parameters parameters = {{"lambda", "0.01"}, {"noise", noise}};
    const v1::ObjectiveValue last = Told("admm", parameters, 400).back();
    Parameters again = parameters;
    again["iterations"] = "400";
    ASSERT_OK_AND_ASSIGN(const Volume x, RunMethod("admm", {.y = image_,
                                                            .domain = kShape,
                                                            .origin = {},
                                                            .psf = psf_,
                                                            .parameters = again,
                                                            .boundary = v1::PERIODIC,
                                                            .background = kBackground}));
    EXPECT_NEAR(last.residual_squares() / Squares(image_, ones_, Convolve(x, psf_)), 1, 1e-2) << noise;
    EXPECT_NEAR(last.data_squares() / Squares(image_, ones_, Volume(6, 10, 12)), 1, 1e-6) << noise;
  }
}

// A run ends with the first iteration whose residuals are both within the tolerance, and tells that one whatever its
// number.
TEST_F(CurveReferenceTest, AdmmStopsByWhatItTells) {
  constexpr double kTolerance = 1e-3;
  const auto larger = [](const v1::ObjectiveValue& value) {
    return std::sqrt(std::max(value.primal_squares(), value.dual_squares()));
  };
  const std::vector<v1::ObjectiveValue> all = Told("admm", {}, 300);
  const auto first =
      std::find_if(all.begin(), all.end(), [&](const auto& value) { return larger(value) <= kTolerance; });
  ASSERT_NE(first, all.end());
  EXPECT_GT(larger(all.front()), kTolerance);
  Objectives stopped;
  ASSERT_OK(RunMethod("admm", {.y = image_,
                               .domain = kShape,
                               .origin = {},
                               .psf = psf_,
                               .parameters = {{"iterations", "300"}, {"tolerance", "1e-3"}, {"objective", "97"}},
                               .boundary = v1::PERIODIC,
                               .background = kBackground,
                               .monitor = &stopped}));
  EXPECT_EQ(stopped.told.back().SerializeAsString(), first->SerializeAsString());
}

// Only what was measured counts, as much as its mask says.
TEST_F(CurveReferenceTest, OfAMaskedTileInItsMargin) {
  Volume mask = ones_;
  std::uniform_real_distribution<float> weight(0.5F, 2.0F);
  for (double& m : mask.values) m = random_() % 4 == 0 ? 0 : weight(random_);
  const double mean = MeanOf(image_);
  for (const char* method : {"rl", "admm", "landweber", "rl-multiview"}) {
    Objectives objectives;
    ASSERT_OK(RunMethod(method, {.y = image_,
                                 .domain = {8, 14, 15},
                                 .origin = {},
                                 .psf = psf_,
                                 .parameters = {{"iterations", "2"}, {"objective", "1"}},
                                 .boundary = v1::EXTEND,
                                 .background = kBackground,
                                 .mask = &mask,
                                 .monitor = &objectives}));
    ASSERT_EQ(objectives.told.size(), 2U);
    EXPECT_NEAR(objectives.told[0].data_squares() / Squares(image_, mask, Volume(6, 10, 12)), 1, 1e-6) << method;
    if (!std::string(method).starts_with("rl")) continue;  // which start from the mean everywhere, that H keeps
    EXPECT_NEAR(objectives.told[0].residual_squares() / Squares(image_, mask, Volume(6, 10, 12, mean)), 1, 1e-5)
        << method;
  }
}

TEST_F(CurveReferenceTest, OfSeveralViewsItIsTheirSum) {
  const Volume second = RandomImage(kShape.z, kShape.y, kShape.x, random_);
  Objectives objectives;
  const double mean = MeanOf(image_);
  ASSERT_OK(RunMethod("rl-multiview", {.y = image_,
                                       .domain = kShape,
                                       .origin = {},
                                       .psf = psf_,
                                       .parameters = {{"iterations", "1"}},
                                       .boundary = v1::PERIODIC,
                                       .background = kBackground,
                                       .mean = mean,
                                       .monitor = &objectives,
                                       .other_views = {{second, psf_, kBackground}}}));
  ASSERT_EQ(objectives.told.size(), 1U);
  const Volume none(6, 10, 12), start(6, 10, 12, mean);
  EXPECT_NEAR(objectives.told[0].data_squares() / (Squares(image_, ones_, none) + Squares(second, ones_, none)), 1,
              1e-6);
  EXPECT_NEAR(objectives.told[0].residual_squares() / (Squares(image_, ones_, start) + Squares(second, ones_, start)),
              1, 1e-5);
}

}  // namespace
}  // namespace deconvoy::reference
