// The worker's rl-tv and rl-good against the same formulas in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

class RoughnessReferenceTest : public ::testing::TestWithParam<Size> {
 protected:
  // The method with `lambda` and the reference, on a circle or with the surroundings estimated: after 5 iterations, and
  // after 15 where rounding does not lead elsewhere by then.
  void Compare(const std::string& method, double lambda, bool good, Acceleration acceleration, bool extended) {
    const Shape3& n = GetParam().image;
    const Shape3& h = GetParam().psf;
    const Volume image = RandomImage(n.z, n.y, n.x, random_);
    const Psf psf = RandomPsf(h.z, h.y, h.x, random_);
    const Shape3 domain = extended ? ExtendedDomain(GetParam()) : n;
    const Slopes slopes{.z = 0.5, .y = 0.75, .x = 1, .periodic = !extended};
    const double mean = MeanOf(image);
    const Volume y = Padded(image, domain.z, domain.y, domain.x);
    const Volume m = Padded(Volume(n.z, n.y, n.x, 1), domain.z, domain.y, domain.x);
    const auto solve = [&](const RichardsonLucyOptions& how) {
      return Cropped(RichardsonLucy(y, m, psf, Volume(domain.z, domain.y, domain.x, mean), how), n.z, n.y, n.x);
    };
    for (const int iterations : {5, 15}) {
      SCOPED_TRACE(fmt::format("{} extended: {}, {} iterations", method, extended, iterations));
      RichardsonLucyOptions options{
          .iterations = iterations, .acceleration = acceleration, .background = 3, .mean = mean};
      options.roughness = [&](const Volume& p) {
        return good ? GoodRoughnessSlope(p, slopes, 1e-3 * mean) : TotalVariationSlope(p, slopes, 1e-3 * mean);
      };
      options.strength = lambda;
      const Volume expected = solve(options);
      RichardsonLucyOptions rounded = options, plain = options;
      rounded.rounding = kRoundingErrors;
      plain.roughness = nullptr;
      const double rounding = RelativeError(solve(rounded), expected);
      if (iterations > 5 && rounding > kMostComparable) continue;
      ASSERT_OK_AND_ASSIGN(
          const Volume found,
          RunMethod(method,
                    {.y = image,
                     .domain = domain,
                     .origin = {},
                     .psf = psf,
                     .parameters = {{"iterations", std::to_string(iterations)},
                                    {"lambda", std::to_string(lambda)},
                                    {"acceleration", acceleration == Acceleration::kNone ? "none" : "heavy-ball"}},
                     .boundary = extended ? v1::EXTEND : v1::PERIODIC,
                     .background = 3,
                     .mean = mean,
                     .differences = {.factors = {0.5F, 0.75F, 1}, .periodic = !extended}}));
      EXPECT_LE(RelativeError(found, expected), ToleranceOf(rounding));
      EXPECT_GT(RelativeError(expected, solve(plain)), 1e-3) << "the penalty does not show";
    }
  }

  std::mt19937_64 random_{testing::Seed()};
};

TEST_P(RoughnessReferenceTest, TotalVariation) {
  for (const bool extended : {false, true}) {
    Compare("rl-tv", 0.05, false, Acceleration::kNone, extended);
    Compare("rl-tv", 0.02, false, Acceleration::kHeavyBall, extended);
  }
}

TEST_P(RoughnessReferenceTest, GoodsRoughness) {
  for (const bool extended : {false, true}) {
    Compare("rl-good", 0.02, true, Acceleration::kNone, extended);
    Compare("rl-good", 0.01, true, Acceleration::kHeavyBall, extended);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RoughnessReferenceTest, ::testing::ValuesIn(kSizes));

}  // namespace
}  // namespace deconvoy::reference
