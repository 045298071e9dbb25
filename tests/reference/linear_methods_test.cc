// The worker's methods for Gaussian noise against the same formulas in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "tests/reference/engine.h"
#include "tests/reference/linear_methods.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/reference/wavelets.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

constexpr double kBackground = 7.5;

using Parameters = std::map<std::string, std::string>;

class LinearMethodsTest : public ::testing::TestWithParam<Size> {
 protected:
  LinearMethodsTest()
      : image_(RandomImage(GetParam().image.z, GetParam().image.y, GetParam().image.x, random_)),
        psf_(RandomPsf(GetParam().psf.z, GetParam().psf.y, GetParam().psf.x, random_)),
        ones_(image_.nz, image_.ny, image_.nx, 1) {}

  // The image covers the domain, as with PERIODIC and MIRROR.
  Volume Whole(const std::string& method, const Parameters& parameters) {
    absl::StatusOr<Volume> result = RunMethod(method, {.y = image_,
                                                       .domain = GetParam().image,
                                                       .origin = {},
                                                       .psf = psf_,
                                                       .parameters = parameters,
                                                       .boundary = v1::PERIODIC,
                                                       .background = kBackground});
    EXPECT_OK(result);
    return *std::move(result);
  }

  std::mt19937_64 random_{testing::Seed()};
  Volume image_;
  Psf psf_;
  Volume ones_;
};

TEST_P(LinearMethodsTest, InversesFollowTheirFormulas) {
  EXPECT_LE(RelativeError(Whole("tikhonov", {{"lambda", "0.02"}}), Inverse(image_, psf_, kBackground, 0.02, 0)),
            kTolerance);
  EXPECT_LE(RelativeError(Whole("wiener", {{"nsr", "0.3"}}), Inverse(image_, psf_, kBackground, 0.3, 0)), kTolerance);
  EXPECT_LE(RelativeError(Whole("laplacian", {{"lambda", "0.004"}}), Inverse(image_, psf_, kBackground, 0.004, 4)),
            kTolerance);
  EXPECT_LE(
      RelativeError(Whole("naive-inverse", {{"epsilon", "0.01"}}), Inverse(image_, psf_, kBackground, 0, 0, 0.01)),
      kTolerance);
}

// Light that fades towards the cutoff, beyond which there is none.
TEST_P(LinearMethodsTest, WienersFilterByShellFollowsItsFormula) {
  constexpr size_t kShells = 31;  // prime to all extents: no frequency below the last shell lies between two
  std::vector<double> signal_to_noise(kShells);
  for (size_t i = 0; i < 2 * kShells / 3; ++i) signal_to_noise[i] = 200 * std::exp(-static_cast<double>(i) / 4);
  ASSERT_OK_AND_ASSIGN(const Volume found, RunMethod("wiener", {.y = image_,
                                                                .domain = GetParam().image,
                                                                .origin = {},
                                                                .psf = psf_,
                                                                .parameters = {{"nsr", "auto"}},
                                                                .boundary = v1::PERIODIC,
                                                                .background = kBackground,
                                                                .signal_to_noise = signal_to_noise}));
  EXPECT_LE(RelativeError(found, WienerByShell(image_, psf_, kBackground, signal_to_noise)), kTolerance);
}

TEST_P(LinearMethodsTest, DescentsFollowTheirFormulas) {
  const Parameters twenty = {{"iterations", "20"}};
  const auto with = [&](Parameters more) {
    more.insert(twenty.begin(), twenty.end());
    return more;
  };
  const auto expect = [&](const std::string& method, const Parameters& parameters, const DescentOptions& options) {
    EXPECT_LE(RelativeError(Whole(method, with(parameters)), Descend(image_, ones_, psf_, options)), kTolerance)
        << method;
  };
  expect("landweber", {{"step", "1.5"}}, {.step = 1.5, .background = kBackground});
  expect("landweber", {{"acceleration", "nesterov"}}, {.background = kBackground, .nesterov = true});
  expect("landweber-positive", {{"step", "1.5"}}, {.step = 1.5, .background = kBackground, .floor = 0});
  expect("stark-parker", {{"upper", "100"}}, {.background = kBackground, .floor = 0, .ceiling = 100});
  expect("tikhonov-miller", {{"lambda", "0.001"}, {"step", "0.9"}},
         {.step = 0.9, .background = kBackground, .lambda = 0.001});
  expect("ictm", {{"lambda", "0.001"}, {"step", "1.5"}},
         {.step = 1.5, .background = kBackground, .lambda = 0.001, .floor = 0});
  const Parameters fast = {{"lambda", "0.001"}, {"step", "0.5"}, {"acceleration", "nesterov"}};
  expect("tikhonov-miller", fast, {.step = 0.5, .background = kBackground, .lambda = 0.001, .nesterov = true});
  expect("ictm", fast, {.step = 0.5, .background = kBackground, .lambda = 0.001, .floor = 0, .nesterov = true});
}

TEST_P(LinearMethodsTest, ShrinkagesFollowTheirFormulas) {
  const Shape3& n = GetParam().image;
  if (std::max({n.z, n.y, n.x}) < 8) GTEST_SKIP() << "too small for two scales";
  for (const bool accelerated : {false, true}) {
    for (const auto& [name, degree] : {std::pair("haar", 0), std::pair("spline3", 3)}) {
      const DescentOptions options{
          .background = kBackground, .nesterov = accelerated, .shrink = [degree = degree](const Volume& x) {
            return ShrinkWavelets(x, degree, 2, 3.0 / 2, {0, 0, 0}).volume;
          }};
      EXPECT_LE(RelativeError(Whole(accelerated ? "fista" : "ista",
                                    {{"iterations", "20"}, {"lambda", "3"}, {"scales", "2"}, {"wavelet", name}}),
                              Descend(image_, ones_, psf_, options)),
                kTolerance)
          << name << " " << accelerated;
    }
  }
}

TEST_P(LinearMethodsTest, VanCittertFollowsItsFormula) {
  EXPECT_LE(RelativeError(Whole("van-cittert", {{"iterations", "8"}, {"step", "0.7"}}),
                          VanCittert(image_, psf_, kBackground, 0.7, 8)),
            kTolerance);
}

// The surroundings are estimated too, and masked voxels do not count.
TEST_P(LinearMethodsTest, DescentsExtendTheImage) {
  const Shape3& image = GetParam().image;
  const Shape3 domain = ExtendedDomain(GetParam());
  Volume mask = ones_;
  mask.at(image.z / 2, image.y / 2, image.x / 3) = 0;
  for (const bool nesterov : {false, true}) {
    ASSERT_OK_AND_ASSIGN(
        const Volume found,
        RunMethod("landweber-positive",
                  {.y = image_,
                   .domain = domain,
                   .origin = {},
                   .psf = psf_,
                   .parameters = {{"iterations", "20"}, {"acceleration", nesterov ? "nesterov" : "none"}},
                   .boundary = v1::EXTEND,
                   .background = kBackground,
                   .mask = &mask}));
    const Volume expected =
        Descend(Padded(image_, domain.z, domain.y, domain.x), Padded(mask, domain.z, domain.y, domain.x), psf_,
                {.background = kBackground, .floor = 0, .nesterov = nesterov});
    EXPECT_LE(RelativeError(found, Cropped(expected, image.z, image.y, image.x)), kTolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearMethodsTest, ::testing::ValuesIn(kSizes),
                         [](const auto& size) { return NameOf(size.param); });

class DescentTest : public ::testing::Test {
 protected:
  absl::StatusOr<Volume> Run(const std::string& method, const Parameters& parameters, double background = 0,
                             worker::Monitor* monitor = nullptr) {
    return RunMethod(method, {.y = image_,
                              .domain = {6, 10, 12},
                              .origin = {},
                              .psf = psf_,
                              .parameters = parameters,
                              .boundary = v1::PERIODIC,
                              .background = background,
                              .monitor = monitor});
  }

  std::mt19937_64 random_{testing::Seed()};
  Volume image_ = RandomImage(6, 10, 12, random_);
  Psf psf_ = RandomPsf(3, 5, 4, random_);
};

// Other software clips only the last estimate; that is another result.
TEST_F(DescentTest, ConstraintsAreFedBack) {
  const Volume ones(6, 10, 12, 1);
  const struct {
    const char* method;
    Parameters parameters;
    DescentOptions options;
  } cases[] = {
      {"landweber-positive", {}, {.step = 1.5, .background = 30, .floor = 0}},
      {"ictm", {{"lambda", "0.001"}}, {.step = 1.5, .background = 30, .lambda = 0.001, .floor = 0}},
      {"stark-parker", {{"upper", "30"}}, {.step = 1.5, .background = 30, .floor = 0, .ceiling = 30}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.method);
    DescentOptions clipped = c.options, unbounded = c.options;
    clipped.clip_only_last = true;
    unbounded.ceiling = DescentOptions{}.ceiling;
    const Volume fed_back = Descend(image_, ones, psf_, c.options), only_last = Descend(image_, ones, psf_, clipped);
    ASSERT_GT(RelativeError(only_last, fed_back), 1e-2) << "the example does not tell them apart";
    if (c.options.ceiling < unbounded.ceiling) {
      ASSERT_GT(RelativeError(Descend(image_, ones, psf_, unbounded), fed_back), 1e-2)
          << "the upper bound does nothing";
    }
    Parameters parameters = c.parameters;
    parameters.insert({{"iterations", "20"}, {"step", "1.5"}});
    ASSERT_OK_AND_ASSIGN(const Volume found, Run(c.method, parameters, c.options.background));
    EXPECT_LE(RelativeError(found, fed_back), kTolerance);
  }
}

TEST_F(DescentTest, ObjectivesFall) {
  for (const char* method : {"landweber", "landweber-positive", "tikhonov-miller", "ictm"}) {
    Objectives objectives;
    ASSERT_OK(Run(method, {{"iterations", "15"}, {"objective", "1"}}, 5, &objectives));
    ASSERT_EQ(objectives.values.size(), 15U);
    for (size_t k = 1; k < objectives.values.size(); ++k) {
      EXPECT_LE(objectives.values[k], objectives.values[k - 1] * (1 + 1e-6)) << method << " " << k;
    }
    EXPECT_LT(objectives.values.back(), 0.9 * objectives.values.front()) << method;
  }
}

// It is that of the point that the step is taken from, which under momentum is not the estimate.
TEST_F(DescentTest, ObjectivesUnderMomentumAreThoseOfTheirPoints) {
  constexpr double kLambda = 0.01, kStep = 0.1;
  Objectives objectives;
  ASSERT_OK(
      Run("tikhonov-miller",
          {{"iterations", "4"}, {"step", "0.1"}, {"lambda", "0.01"}, {"acceleration", "nesterov"}, {"objective", "1"}},
          kBackground, &objectives));
  ASSERT_EQ(objectives.values.size(), 4U);
  const Volume ones(6, 10, 12, 1);
  double t = 1;
  for (int k = 0; k < 4; ++k) {
    const auto estimate = [&](int iterations) {
      return Descend(
          image_, ones, psf_,
          {.iterations = iterations, .step = kStep, .background = kBackground, .lambda = kLambda, .nesterov = true});
    };
    const double next = (1 + std::sqrt(1 + 4 * t * t)) / 2, alpha = (t - 1) / next;
    t = next;
    const Volume x = estimate(k), previous = estimate(std::max(k - 1, 0));
    Volume p = x;
    for (size_t i = 0; i < p.values.size(); ++i) p.values[i] += alpha * (x.values[i] - previous.values[i]);
    const Volume model = Convolve(p, psf_), smoothed = SquaredLaplacian(p);
    double objective = 0;
    for (size_t i = 0; i < p.values.size(); ++i) {
      const double r = image_.values[i] - kBackground - model.values[i];
      objective += r * r + kLambda * p.values[i] * smoothed.values[i];
    }
    EXPECT_NEAR(objectives.values[static_cast<size_t>(k)] / objective, 1, 1e-5) << k;
  }
}

TEST_F(DescentTest, VanCittertTellsItsSquaredResiduals) {
  constexpr double kStep = 0.7;
  Objectives objectives;
  ASSERT_OK(Run("van-cittert", {{"iterations", "4"}, {"step", "0.7"}, {"objective", "1"}}, kBackground, &objectives));
  ASSERT_EQ(objectives.values.size(), 4U);
  for (int k = 0; k < 4; ++k) {
    const Volume model = Convolve(VanCittert(image_, psf_, kBackground, kStep, k), psf_);
    double squares = 0;
    for (size_t i = 0; i < model.values.size(); ++i) {
      const double r = image_.values[i] - kBackground - model.values[i];
      squares += r * r;
    }
    EXPECT_NEAR(objectives.values[static_cast<size_t>(k)] / squares, 1, 1e-5) << k;
  }
}

// The place in the frame decides where the scales begin, so that tiles agree.
TEST_F(DescentTest, ScalesBeginAtMultiplesInTheFrame) {
  EngineRun run{.y = image_,
                .domain = {6, 10, 12},
                .origin = {},
                .psf = psf_,
                .parameters = {{"iterations", "3"}, {"lambda", "20"}, {"scales", "2"}},
                .boundary = v1::PERIODIC,
                .frame_origin = {5, 3, 18}};
  ASSERT_OK_AND_ASSIGN(const Volume found, RunMethod("ista", run));
  const DescentOptions options{.iterations = 3, .shrink = [](const Volume& x) {
                                 return ShrinkWavelets(x, 0, 2, 10, {3, 1, 2}).volume;
                               }};
  EXPECT_LE(RelativeError(found, Descend(image_, Volume(6, 10, 12, 1), psf_, options)), kTolerance);
}

TEST_F(DescentTest, FistaIsAtTheMinimumLongBeforeIsta) {
  const auto objective = [&](const char* method, const char* iterations) {
    Objectives objectives;
    EXPECT_OK(Run(method, {{"iterations", iterations}, {"objective", "1"}, {"lambda", "10"}, {"scales", "2"}}, 0,
                  &objectives));
    return objectives.values;
  };
  const std::vector<double> slow = objective("ista", "2000"), fast = objective("fista", "150");
  for (size_t k = 1; k < slow.size(); ++k) ASSERT_LE(slow[k], slow[k - 1] * (1 + 1e-6)) << k;
  EXPECT_LE(fast.back(), slow.back() * (1 + 1e-3));
}

// A tile may be smaller than the frame whose scales were looked at.
TEST_F(DescentTest, MoreScalesThanATileHasAreAsManyAsItHas) {
  ASSERT_OK_AND_ASSIGN(const Volume most, Run("fista", {{"scales", "4"}}));
  ASSERT_OK_AND_ASSIGN(const Volume more, Run("fista", {{"scales", "6"}}));
  EXPECT_LE(RelativeError(more, most), 1e-6);
}

TEST_F(DescentTest, AStepAboveTheBoundOfAnyPsfIsRefused) {
  EXPECT_EQ(ReasonOf(Run("fista", {{"step", "1.5"}}).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(Run("ista", {{"step", "2"}}).status()), v1::INVALID_FIELD);
}

TEST_F(DescentTest, AStepAboveTheBoundIsRefusedWithTheBound) {
  const absl::Status plain = Run("landweber", {{"step", "2"}}).status();
  EXPECT_EQ(ReasonOf(plain), v1::INVALID_FIELD) << plain;
  EXPECT_NE(InfoOf(plain).remedy().find("below 2 "), std::string::npos) << InfoOf(plain).remedy();
  EXPECT_OK(Run("landweber", {{"step", "1.99"}, {"iterations", "2"}}));
  const absl::Status fast = Run("landweber", {{"step", "1.1"}, {"acceleration", "nesterov"}}).status();
  EXPECT_NE(InfoOf(fast).remedy().find("at most 1 "), std::string::npos) << fast;
  EXPECT_OK(Run("landweber", {{"step", "1"}, {"acceleration", "nesterov"}, {"iterations", "2"}}));
  // w^4 is 9 pi^4 = 877 at the highest frequency.
  const absl::Status smooth = Run("ictm", {{"lambda", "0.1"}, {"step", "0.1"}}).status();
  EXPECT_EQ(InfoOf(smooth).field(), "deconvolve.parameters[\"step\"]");
  EXPECT_NE(InfoOf(smooth).remedy().find("below 0.022"), std::string::npos) << InfoOf(smooth).remedy();
  const absl::Status both = Run("ictm", {{"lambda", "0.1"}, {"step", "0.015"}, {"acceleration", "nesterov"}}).status();
  EXPECT_NE(InfoOf(both).remedy().find("at most 0.011"), std::string::npos) << both;
}

TEST_F(DescentTest, DeltaPsfReturnsTheLight) {
  psf_ = {.h = Volume(3, 3, 3), .cz = 0, .cy = 2, .cx = 1};
  psf_.h.at(0, 2, 1) = 1;
  Volume light = image_;
  for (double& v : light.values) v -= kBackground;
  for (const char* method : {"naive-inverse", "landweber", "landweber-positive", "stark-parker", "van-cittert"}) {
    ASSERT_OK_AND_ASSIGN(const Volume found, Run(method, {}, kBackground));
    EXPECT_LE(RelativeError(found, light), 2e-6) << method;
  }
  for (const char* method : {"wiener", "tikhonov"}) {
    ASSERT_OK_AND_ASSIGN(Volume found,
                         Run(method, {{std::string(method) == "wiener" ? "nsr" : "lambda", "0.25"}}, kBackground));
    for (double& v : found.values) v *= 1.25;
    EXPECT_LE(RelativeError(found, light), 2e-6) << method;
  }
}

TEST_F(DescentTest, AConstantStaysConstant) {
  image_ = Volume(6, 10, 12, 40);
  const Volume light(6, 10, 12, 32);
  for (const char* method :
       {"naive-inverse", "laplacian", "van-cittert", "landweber", "landweber-positive", "tikhonov-miller", "ictm"}) {
    ASSERT_OK_AND_ASSIGN(const Volume found, Run(method, {}, 8));
    EXPECT_LE(RelativeError(found, light), 2e-6) << method;
  }
}

}  // namespace
}  // namespace deconvoy::reference
