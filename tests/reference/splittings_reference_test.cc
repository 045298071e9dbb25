// The worker's methods that split the estimate, against the same formulas in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/linear_methods.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/splittings.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

constexpr double kBackground = 7.5;
constexpr std::array<double, 3> kFactors = {0.5, 0.75, 1};

using Parameters = std::map<std::string, std::string>;

class SplittingsTest : public ::testing::TestWithParam<Size> {
 protected:
  // The method and the reference, on a circle or with the surroundings estimated and a voxel masked.
  void Compare(const Parameters& parameters, SplitOptions options, bool extended) {
    const Shape3& n = GetParam().image;
    const Shape3& h = GetParam().psf;
    const Volume image = RandomImage(n.z, n.y, n.x, random_);
    const Psf psf = RandomPsf(h.z, h.y, h.x, random_);
    const Shape3 domain = extended ? ExtendedDomain(GetParam()) : n;
    Volume mask(n.z, n.y, n.x, 1);
    if (extended) mask.at(n.z / 2, n.y / 2, n.x / 3) = 0;
    options.background = kBackground;
    options.mean = MeanOf(image);
    options.factors = kFactors;
    options.iterations = 15;
    Parameters given = parameters;
    given["iterations"] = "15";
    ASSERT_OK_AND_ASSIGN(const Volume found, RunMethod("admm", {.y = image,
                                                                .domain = domain,
                                                                .origin = {},
                                                                .psf = psf,
                                                                .parameters = given,
                                                                .boundary = extended ? v1::EXTEND : v1::PERIODIC,
                                                                .background = kBackground,
                                                                .differences = {.factors = {0.5F, 0.75F, 1}},
                                                                .mask = &mask}));
    const Volume expected =
        Split(Padded(image, domain.z, domain.y, domain.x), Padded(mask, domain.z, domain.y, domain.x), psf,
              Volume(domain.z, domain.y, domain.x, options.mean), options);
    EXPECT_LE(RelativeError(found, Cropped(expected, n.z, n.y, n.x)), kTolerance)
        << fmt::format("extended {}, {} lambda {}", extended, static_cast<int>(options.slopes), options.lambda);
  }

  std::mt19937_64 random_{testing::Seed()};
};

TEST_P(SplittingsTest, AdmmFollowsItsFormulas) {
  for (const bool extended : {false, true}) {
    Compare({{"lambda", "0.02"}, {"balancing", "false"}}, {.lambda = 0.02}, extended);
    Compare({{"lambda", "0.02"}, {"balancing", "false"}, {"prior", "hessian"}},
            {.slopes = Order::kSecond, .lambda = 0.02}, extended);
    Compare({{"lambda", "0.05"}, {"balancing", "false"}, {"noise", "gaussian"}},
            {.noise = Noise::kGaussian, .lambda = 0.05}, extended);
    Compare({{"lambda", "0"}, {"balancing", "false"}}, {.slopes = Order::kNone}, extended);
  }
}

// Five steps of the denoiser in each iteration, from where the ones before ended.
TEST_P(SplittingsTest, PlugAndPlayFollowsItsFormulas) {
  const Shape3& n = GetParam().image;
  const Shape3& h = GetParam().psf;
  const Volume image = RandomImage(n.z, n.y, n.x, random_);
  const Psf psf = RandomPsf(h.z, h.y, h.x, random_);
  const double mean = MeanOf(image), sigma = 0.3 * std::sqrt(mean);
  std::vector<Volume> dual;
  const auto denoised = [&](const Volume& v, double strength) {
    Volume x = Flattened(v, strength, kFactors, 5, dual);
    for (double& value : x.values) value = std::max(value, 0.0);
    return x;
  };
  const auto run = [&](const char* method, Parameters parameters) {
    parameters["iterations"] = "15";
    parameters["sigma"] = "0.3";
    absl::StatusOr<Volume> found = RunMethod(method, {.y = image,
                                                      .domain = n,
                                                      .origin = {},
                                                      .psf = psf,
                                                      .parameters = parameters,
                                                      .boundary = v1::PERIODIC,
                                                      .background = kBackground,
                                                      .differences = {.factors = {0.5F, 0.75F, 1}}});
    EXPECT_OK(found);
    return *std::move(found);
  };
  const Volume ones(n.z, n.y, n.x, 1);
  for (const Noise noise : {Noise::kPoisson, Noise::kGaussian}) {
    dual.clear();
    const SplitOptions options{.iterations = 15,
                               .slopes = Order::kNone,
                               .noise = noise,
                               .weight = 0.01,
                               .penalty = 0.25,
                               .relaxation = 1,
                               .background = kBackground,
                               .mean = mean,
                               .denoise = [&](const Volume& v, double) { return denoised(v, sigma); }};
    EXPECT_LE(RelativeError(run("pnp-admm", {{"noise", noise == Noise::kPoisson ? "poisson" : "gaussian"}}),
                            Split(image, ones, psf, Volume(n.z, n.y, n.x, mean), options)),
              kTolerance);
  }
  for (const bool nesterov : {false, true}) {
    dual.clear();
    const DescentOptions options{
        .iterations = 15, .step = 0.9, .background = kBackground, .nesterov = nesterov, .shrink = [&](const Volume& v) {
          return denoised(v, 0.9 * sigma);
        }};
    EXPECT_LE(RelativeError(run("pnp-ista", {{"step", "0.9"}, {"acceleration", nesterov ? "nesterov" : "none"}}),
                            Descend(image, ones, psf, options)),
              kTolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, SplittingsTest, ::testing::ValuesIn(kSizes),
                         [](const auto& size) { return NameOf(size.param); });

class AdmmTest : public ::testing::Test {
 protected:
  AdmmTest() { options_ = {.lambda = 0.01, .background = kBackground, .mean = MeanOf(image_), .factors = kFactors}; }

  absl::StatusOr<Volume> Run(const std::string& method, const Parameters& parameters, int threads = 2,
                             worker::Monitor* monitor = nullptr) {
    return RunMethod(method, {.y = image_,
                              .domain = {6, 10, 12},
                              .origin = {},
                              .psf = psf_,
                              .parameters = parameters,
                              .boundary = v1::PERIODIC,
                              .background = kBackground,
                              .mean = mean_,
                              .differences = {.factors = {0.5F, 0.75F, 1}, .periodic = true},
                              .threads = threads,
                              .monitor = monitor});
  }
  double ObjectiveOf(const Volume& x) const { return Objective(x, image_, Volume(6, 10, 12, 1), psf_, options_); }

  std::mt19937_64 random_{testing::Seed()};
  Volume image_ = RandomImage(6, 10, 12, random_);
  Psf psf_ = RandomPsf(3, 5, 4, random_);
  SplitOptions options_;
  double mean_ = 0;  // that is told; 0: that of the image
};

// The penalty starts far off where the frame's mean is far from that of the tile.
TEST_F(AdmmTest, BalancingFollowsItsRule) {
  const double mean = options_.mean;
  bool changed = false;
  for (const double factor : {1e-3, 1.0, 1e3}) {
    options_.mean = mean_ = factor * mean;
    options_.balancing = true;
    double last = 0;
    options_.watch = [&](double rho) { last = rho; };
    const Volume expected = Split(image_, Volume(6, 10, 12, 1), psf_, Volume(6, 10, 12, mean_), options_);
    changed = changed || last != options_.penalty / mean_;
    ASSERT_OK_AND_ASSIGN(const Volume found, Run("admm", {{"lambda", "0.01"}, {"iterations", "20"}}));
    EXPECT_LE(RelativeError(found, expected), kTolerance) << factor;
  }
  EXPECT_TRUE(changed) << "no example changes the penalty";
}

TEST_F(AdmmTest, IsAtTheMinimumLongBeforePlainIterations) {
  for (const char* lambda : {"0.01", "0"}) {
    options_.lambda = std::stod(lambda);
    const Parameters plain = {{"iterations", "2000"}, {"acceleration", "none"}};
    Parameters penalised = plain;
    penalised["lambda"] = lambda;
    ASSERT_OK_AND_ASSIGN(const Volume slow, options_.lambda > 0 ? Run("rl-tv", penalised) : Run("rl", plain));
    ASSERT_OK_AND_ASSIGN(const Volume fast, Run("admm", {{"lambda", lambda}, {"iterations", "150"}}));
    EXPECT_LE(ObjectiveOf(fast), ObjectiveOf(slow) * (1 + 1e-3)) << lambda;
  }
}

TEST_F(AdmmTest, TellsTheObjective) {
  Objectives objectives;
  ASSERT_OK_AND_ASSIGN(const Volume found,
                       Run("admm", {{"lambda", "0.01"}, {"iterations", "300"}, {"objective", "1"}}, 2, &objectives));
  ASSERT_EQ(objectives.values.size(), 300U);
  EXPECT_NEAR(objectives.values.back() / ObjectiveOf(found), 1, 1e-3);
}

TEST_F(AdmmTest, StopsWhenTheResidualsAreSmall) {
  Objectives all, stopped;
  ASSERT_OK_AND_ASSIGN(const Volume whole, Run("admm", {{"iterations", "1000"}, {"objective", "1"}}, 2, &all));
  ASSERT_OK_AND_ASSIGN(const Volume part,
                       Run("admm", {{"iterations", "1000"}, {"objective", "1"}, {"tolerance", "1e-3"}}, 2, &stopped));
  EXPECT_EQ(all.values.size(), 1000U);
  EXPECT_LT(stopped.values.size(), 300U);
  EXPECT_GT(stopped.values.size(), 5U);
  EXPECT_LE(RelativeError(part, whole), 5e-2);
}

TEST_F(AdmmTest, BadParametersAreRefused) {
  for (const Parameters& bad : std::vector<Parameters>{{{"lambda", "-1"}},
                                                       {{"lambda", "nan"}},
                                                       {{"iterations", "0"}},
                                                       {{"iterations", "1000000000"}},
                                                       {{"prior", "none"}},
                                                       {{"tolerance", "-0.1"}}}) {
    EXPECT_FALSE(Run("admm", bad).ok()) << bad.begin()->first << " " << bad.begin()->second;
  }
  for (const char* method : {"pnp-admm", "pnp-ista"}) {
    EXPECT_FALSE(Run(method, {{"sigma", "-1"}}).ok());
    EXPECT_FALSE(Run(method, {{"denoiser", "none"}}).ok());
    EXPECT_FALSE(Run(method, {{"iterations", "0"}}).ok());
  }
}

// The five steps of every call go on where the last ones ended: in the end they are at the minimum.
TEST_F(AdmmTest, PlugAndPlayWithTotalVariationIsAdmm) {
  const double rho = 0.25 / options_.mean, lambda = 0.01, sigma = lambda / (0.01 * rho) / std::sqrt(options_.mean);
  ASSERT_OK_AND_ASSIGN(const Volume penalised,
                       Run("admm", {{"lambda", std::to_string(lambda)}, {"iterations", "1000"}}));
  ASSERT_OK_AND_ASSIGN(const Volume plugged,
                       Run("pnp-admm", {{"sigma", std::to_string(sigma)}, {"iterations", "1000"}}));
  EXPECT_LE(RelativeError(plugged, penalised), 2e-2);
}

TEST_F(AdmmTest, NothingIsBelowZeroAndABlankFrameStaysBlank) {
  ASSERT_OK_AND_ASSIGN(const Volume found, Run("admm", {}));
  for (const double v : found.values) ASSERT_GE(v, 0);
  image_ = Volume(6, 10, 12);
  ASSERT_OK_AND_ASSIGN(const Volume blank, Run("admm", {}));
  for (const double v : blank.values) ASSERT_NEAR(v, 0, 1e-6);
}

TEST_F(AdmmTest, AConstantStaysConstantAndADeltaReturnsTheLight) {
  const Volume measured = image_;
  image_ = Volume(6, 10, 12, 40);
  ASSERT_OK_AND_ASSIGN(const Volume constant, Run("admm", {{"iterations", "200"}}));
  EXPECT_LE(RelativeError(constant, Volume(6, 10, 12, 40 - kBackground)), 1e-4);
  image_ = measured;
  psf_ = {.h = Volume(3, 3, 3), .cz = 0, .cy = 2, .cx = 1};
  psf_.h.at(0, 2, 1) = 1;
  Volume light = image_;
  for (double& v : light.values) v -= kBackground;
  ASSERT_OK_AND_ASSIGN(const Volume found, Run("admm", {{"iterations", "300"}, {"lambda", "0"}}));
  EXPECT_LE(RelativeError(found, light), 1e-4);
}

TEST_F(AdmmTest, ThreadsChangeRoundingOnly) {
  ASSERT_OK_AND_ASSIGN(const Volume one, Run("admm", {}, 1));
  ASSERT_OK_AND_ASSIGN(const Volume three, Run("admm", {}, 3));
  EXPECT_LE(RelativeError(three, one), 1e-6);
}

}  // namespace
}  // namespace deconvoy::reference
