#include "worker/methods/back_projector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

// FWHM 10, 5, 4 voxels; the OTF at the cutoffs 0.02, 0.03, 0.04.
PsfFacts LightSheet() {
  PsfFacts facts;
  facts.axes[0] = {.fwhm = 10, .at_cutoff = 0.02, .at_half_cutoff = 0.4};
  facts.axes[1] = {.fwhm = 5, .at_cutoff = 0.03, .at_half_cutoff = 0.4};
  facts.axes[2] = {.fwhm = 4, .at_cutoff = 0.04, .at_half_cutoff = 0.4};
  return facts;
}

absl::StatusOr<std::vector<Advice>> Review(const std::map<std::string, std::string>& given,
                                           const PsfFacts& psf = LightSheet()) {
  const Method& rl = *FindMethod("rl");
  const auto parameters = ResolveParameters(rl.description(), given);
  EXPECT_OK(parameters);
  return rl.Review(*parameters, psf);
}

std::string FieldOf(const absl::StatusOr<std::vector<Advice>>& review) {
  return InfoOf(review.status()).field();
}

TEST(BackProjector, EpsilonMakesItAsStrongAsTheAdjointAtTheCutoff) {
  const double b = 0.03, alpha = 0.05, wiener = b / (b * b + alpha);
  ASSERT_OK_AND_ASSIGN(const double exact, ButterworthEpsilon(LightSheet(), alpha, false));
  EXPECT_NEAR(wiener / std::sqrt(1 + exact), b, 1e-12);
  ASSERT_OK_AND_ASSIGN(const double published, ButterworthEpsilon(LightSheet(), alpha, true));
  EXPECT_NEAR(published, wiener / (b * b) - 1, 1e-9);
}

TEST(BackProjector, EpsilonLeavesOutAxesThatDoNotReachTheCutoff) {
  PsfFacts psf = LightSheet();
  psf.axes[0] = {.fwhm = 1.5, .at_cutoff = 0.9, .at_half_cutoff = 0.95};
  ASSERT_OK_AND_ASSIGN(const double epsilon, ButterworthEpsilon(psf, 0.05, false));
  EXPECT_NEAR(epsilon, std::pow(1 / (0.035 * 0.035 + 0.05), 2) - 1, 1e-9);
  ASSERT_OK_AND_ASSIGN(const double none, ButterworthEpsilon(PsfFacts{}, 0.05, false));
  EXPECT_EQ(none, 0);
}

TEST(BackProjector, AnEpsilonBelowZeroIsRefused) {
  const auto epsilon = ButterworthEpsilon(LightSheet(), 1, false);
  EXPECT_EQ(ReasonOf(epsilon.status()), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(epsilon.status().message()), HasSubstr("epsilon"));
  const auto review = Review({{"back_projector", "wiener-butterworth"}, {"back_projector_alpha", "1"}});
  EXPECT_EQ(FieldOf(review), "deconvolve.parameters[\"back_projector_alpha\"]");
}

TEST(BackProjector, ButterworthGainFallsAtTheCutoff) {
  const Shape3 domain{20, 20, 16};
  const double epsilon = 400;
  const std::vector<float> gain = ButterworthGain(domain, LightSheet(), epsilon, 10);
  ASSERT_EQ(gain.size(), size_t{20 * 20 * 9});
  const auto at = [&](int64_t z, int64_t y, int64_t x) { return gain[static_cast<size_t>((z * 20 + y) * 9 + x)]; };
  EXPECT_EQ(at(0, 0, 0), 1);
  const double cutoff = 1 / std::sqrt(1 + epsilon);
  EXPECT_NEAR(at(2, 0, 0), cutoff, 1e-6);   // 2/20 = 1/10 cycles per voxel
  EXPECT_NEAR(at(18, 0, 0), cutoff, 1e-6);  // its negative
  EXPECT_NEAR(at(0, 4, 0), cutoff, 1e-6);
  EXPECT_NEAR(at(0, 0, 4), cutoff, 1e-6);
  EXPECT_NEAR(at(1, 0, 0), 1, 1e-3);  // w = 1/4
  const double w = 0.25 + 0.25 + 0.25;
  EXPECT_NEAR(at(1, 2, 2), 1 / std::sqrt(1 + epsilon * std::pow(w, 10)), 1e-6);
  EXPECT_LT(at(10, 10, 8), 1e-6);
}

TEST(BackProjector, RefusesWhatWouldChangeNothing) {
  EXPECT_OK(Review({}));
  EXPECT_EQ(FieldOf(Review({{"matched_steps", "1"}})), "deconvolve.parameters[\"matched_steps\"]");
  EXPECT_EQ(FieldOf(Review({{"back_projector_alpha", "0.1"}})), "deconvolve.parameters[\"back_projector_alpha\"]");
  EXPECT_EQ(FieldOf(Review({{"epsilon", "published"}})), "deconvolve.parameters[\"epsilon\"]");
  EXPECT_EQ(FieldOf(Review({{"back_projector", "otf-masked-wiener"}, {"butterworth_order", "4"}})),
            "deconvolve.parameters[\"butterworth_order\"]");
}

TEST(BackProjector, LeavesAtLeastOneIterationToIt) {
  const auto review = [](const char* iterations, const char* steps) {
    return Review({{"back_projector", "wiener-butterworth"}, {"iterations", iterations}, {"matched_steps", steps}});
  };
  EXPECT_EQ(FieldOf(review("1", "-1")), "deconvolve.parameters[\"matched_steps\"]");
  EXPECT_EQ(FieldOf(review("3", "3")), "deconvolve.parameters[\"matched_steps\"]");
  EXPECT_OK(review("1", "0"));
  EXPECT_OK(review("2", "-1"));
  EXPECT_OK(review("4", "3"));
}

TEST(BackProjector, AdvisesAgainstItForAMissingCone) {
  PsfFacts wide_field = LightSheet();
  wide_field.axes[0].at_half_cutoff = 0.02;
  ASSERT_OK_AND_ASSIGN(const auto advice, Review({{"back_projector", "wiener-butterworth"}}, wide_field));
  ASSERT_EQ(advice.size(), 1U);
  EXPECT_THAT(advice[0].message, HasSubstr("missing cone"));
  EXPECT_THAT(advice[0].remedy, HasSubstr("heavy-ball"));
  ASSERT_OK_AND_ASSIGN(const auto none, Review({{"back_projector", "wiener-butterworth"}}));
  EXPECT_TRUE(none.empty());
  ASSERT_OK_AND_ASSIGN(const auto matched, Review({}, wide_field));
  EXPECT_TRUE(matched.empty());
}

}  // namespace
}  // namespace deconvoy::worker
