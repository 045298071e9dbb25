// The part of the backends' contract that penalties on roughness rest on; included by backend_suite.h.
#pragma once

#include <vector>

#include "tests/contract/backend_fixture.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, DerivesRoughness) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Volume x = RandomField(whole_, 0.5, 20), before = RandomField(whole_, 0.5, 20);
    Volume p = x;
    for (size_t i = 0; i < p.values.size(); ++i) {
      p.values[i] = std::max(x.values[i] + 0.5 * (x.values[i] - before.values[i]), 0.1 * x.values[i]);
    }
    const auto x_array = ToArray(x, whole_), before_array = ToArray(before, whole_), output = Allocate(whole_);
    const Extrapolate extrapolated{x_array.get(), before_array.get(), 0.5F, 0.1F};
    for (const bool periodic : {false, true}) {
      const Differences differences{.factors = {0.25F, 0.75F, 1}, .periodic = periodic};
      const reference::Slopes slopes{.z = 0.25, .y = 0.75, .x = 1, .periodic = periodic};
      // Floors that some voxels are below.
      ASSERT_OK(ops_->DeriveRoughness(Roughness::kTotalVariation, extrapolated, differences, 6, *output));
      EXPECT_LE(Difference(ToField(*output), reference::TotalVariationSlope(p, slopes, 6), whole_), 4 * kRounding);
      ASSERT_OK(ops_->DeriveRoughness(Roughness::kGood, extrapolated, differences, 3, *output));
      EXPECT_LE(Difference(ToField(*output), reference::GoodRoughnessSlope(p, slopes, 3), whole_), 4 * kRounding);
    }
  }
}

TEST_P(BackendSuite, APenaltyChangesTheDenominator) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Box3 measured = InnerBox();
  const Volume w = Correlate(RandomField(measured, 1, 1), psf);
  const Volume input = RandomField(whole_), x = RandomField(whole_), penalty = RandomField(whole_, -8, 8);
  const Volume v = Correlate(input, psf);
  ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, measured, nullptr));
  const auto input_array = ToArray(input, whole_), penalty_array = ToArray(penalty, whole_);
  for (const bool weighted : {false, true}) {
    Volume expected = x;
    int limited = 0;
    for (size_t i = 0; i < x.values.size(); ++i) {
      const double weight = weighted ? w.values[i] : 1, raised = 1 + 0.25 * penalty.values[i];
      if (weight < 0.01) continue;
      limited += raised < 0.1 ? 1 : 0;
      expected.values[i] *= v.values[i] / (weight * std::max(raised, 0.1));
    }
    ASSERT_GT(limited, 0);
    const auto x_array = ToArray(x, whole_);
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{input_array.get()},
                              MultiplyUpdate{.p = Extrapolate{x_array.get(), nullptr, 0, 0},
                                             .weights = weighted ? weights.get() : nullptr,
                                             .weight_floor = 0.01F,
                                             .output = x_array.get(),
                                             .penalty = penalty_array.get(),
                                             .strength = 0.25F,
                                             .least_denominator = 0.1F}}));
    EXPECT_LE(Difference(ToField(*x_array), expected, whole_), 4 * kRounding);
  }
}

}  // namespace deconvoy::worker
