// The worker's rl-tv and rl-good against the same formulas in double precision.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

// Roughness amplifies rounding where neighbours are nearly equal.
constexpr double kTolerance = 5e-5;

struct Size {
  Shape3 image;
  Shape3 psf;
};

const Size kSizes[] = {
    {{6, 8, 10}, {3, 3, 5}},  {{5, 9, 7}, {3, 5, 3}},  {{7, 11, 13}, {5, 3, 4}},
    {{1, 16, 15}, {1, 5, 5}}, {{1, 1, 20}, {1, 1, 6}},
};

class RoughnessReferenceTest : public ::testing::TestWithParam<Size> {
 protected:
  // The method with `lambda` and the reference, on a circle or with the surroundings estimated.
  void Compare(const std::string& method, double lambda, bool good, Acceleration acceleration, bool extended) {
    const Shape3& n = GetParam().image;
    const Shape3& h = GetParam().psf;
    const Volume image = RandomImage(n.z, n.y, n.x, random_);
    const Psf psf = RandomPsf(h.z, h.y, h.x, random_);
    const Shape3 domain = extended ? Shape3{n.z + h.z - 1, n.y + h.y - 1, n.x + h.x} : n;
    const Slopes slopes{.z = 0.5, .y = 0.75, .x = 1, .periodic = !extended};
    const double mean = MeanOf(image);
    ASSERT_OK_AND_ASSIGN(
        const Volume found,
        RunMethod(method,
                  {.y = image,
                   .domain = domain,
                   .origin = {},
                   .psf = psf,
                   .parameters = {{"iterations", "15"},
                                  {"lambda", std::to_string(lambda)},
                                  {"acceleration", acceleration == Acceleration::kNone ? "none" : "heavy-ball"}},
                   .boundary = extended ? v1::EXTEND : v1::PERIODIC,
                   .background = 3,
                   .mean = mean,
                   .differences = {.factors = {0.5F, 0.75F, 1}, .periodic = !extended}}));
    RichardsonLucyOptions options{.iterations = 15, .acceleration = acceleration, .background = 3, .mean = mean};
    options.roughness = [&](const Volume& p) {
      return good ? GoodRoughnessSlope(p, slopes, 1e-3 * mean) : TotalVariationSlope(p, slopes, 1e-3 * mean);
    };
    options.strength = lambda;
    const Volume ones(n.z, n.y, n.x, 1);
    const Volume expected =
        RichardsonLucy(Padded(image, domain.z, domain.y, domain.x), Padded(ones, domain.z, domain.y, domain.x), psf,
                       Volume(domain.z, domain.y, domain.x, mean), options);
    EXPECT_LE(RelativeError(found, Cropped(expected, n.z, n.y, n.x)), kTolerance) << method << " " << extended;
    RichardsonLucyOptions plain = options;
    plain.roughness = nullptr;
    const Volume without =
        RichardsonLucy(Padded(image, domain.z, domain.y, domain.x), Padded(ones, domain.z, domain.y, domain.x), psf,
                       Volume(domain.z, domain.y, domain.x, mean), plain);
    EXPECT_GT(RelativeError(expected, without), 1e-3) << "the penalty does not show";
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
