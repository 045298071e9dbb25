// The part of tests/contract/backend_suite.h, which includes it, on what accelerated iterations, other back projectors
// and other starts need.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/contract/backend_fixture.h"
#include "tests/reference/back_projectors.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, StoresShiftedAndFlooredAlsoInPlace) {
  const Psf psf = RandomPsf({3, 4, 3});
  const auto otf = ToOtf(psf);
  const Volume field = RandomField(whole_);
  Volume expected = Convolve(field, psf);
  bool floored = false;
  for (double& v : expected.values) {
    floored |= v - 3 < 6;
    v = std::max(v - 3, 6.0);
  }
  ASSERT_TRUE(floored);
  const auto array = ToArray(field, whole_);
  ASSERT_OK(ops_->Convolve(
      {otf.get(), false, Identity{array.get()}, Store{.output = array.get(), .offset = -3, .floor = 6}}));
  EXPECT_LE(Difference(ToField(*array), expected, whole_), kRounding);
}

TEST_P(BackendSuite, StoresInABoxAndLeavesTheRest) {
  const Psf psf = RandomPsf({3, 4, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  Volume field = RandomField(whole_);
  const Volume convolved = Convolve(field, psf);
  const auto array = ToArray(field, whole_);
  ASSERT_OK(
      ops_->Convolve({otf.get(), false, Identity{array.get()}, Store{.output = array.get(), .offset = 2, .box = box}}));
  ForEach(box, [&](int64_t k, int64_t j, int64_t i) { field.at(k, j, i) = convolved.at(k, j, i) + 2; });
  EXPECT_LE(Difference(ToField(*array), field, whole_), kRounding);
}

TEST_P(BackendSuite, RaisesDataAndModel) {
  const Psf psf = RandomPsf({3, 3, 5});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume p = RandomField(whole_);
  Volume y = RandomField(box), expected(domain_.z, domain_.y, domain_.x);
  y.at(box.origin.z, box.origin.y, box.origin.x) = 0;
  const Volume v = Convolve(p, psf);
  ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
    expected.at(k, j, i) = (y.at(k, j, i) + 2.5) / (v.at(k, j, i) + 1.5 + 2.5);
  });
  const auto p_array = ToArray(p, whole_), y_array = ToArray(y, box), output = Allocate(box);
  ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{p_array.get()},
                            GuardedRatio{.y = y_array.get(),
                                         .mask = nullptr,
                                         .background = 1.5F,
                                         .floor = 1e-3F,
                                         .output = output.get(),
                                         .i_divergence = nullptr,
                                         .raise = 2.5F}}));
  EXPECT_LE(Difference(ToField(*output), expected, box), kRounding);
}

TEST_P(BackendSuite, ShortensStepsOfSmallWeightAndKeepsAFloor) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Box3 measured = InnerBox();
  const Volume w = Correlate(RandomField(measured, 1, 1), psf);
  const Volume input = RandomField(whole_, 0, 1), x = RandomField(whole_);
  const Volume v = Correlate(input, psf);
  const float weight_floor = 0.01F, full_weight = 0.6F, floor = 4;
  Volume expected(domain_.z, domain_.y, domain_.x), plain = expected;
  int left_alone = 0, shortened = 0, whole = 0, floored = 0;
  for (size_t i = 0; i < v.values.size(); ++i) {
    const double p = x.values[i], weight = w.values[i];
    const double factor = weight >= 0.6 ? v.values[i] / weight : 1 + (v.values[i] - weight) / 0.6;
    expected.values[i] = weight >= 0.01 ? std::max(p * factor, 4.0) : p;
    plain.values[i] = std::max(p * v.values[i], 4.0);
    left_alone += weight < 0.01 ? 1 : 0;
    shortened += weight >= 0.01 && weight < 0.6 ? 1 : 0;
    whole += weight >= 0.6 ? 1 : 0;
    floored += weight >= 0.01 && p * factor < 4 ? 1 : 0;
  }
  ASSERT_GT(std::min({left_alone, shortened, whole, floored}), 0);
  const auto input_array = ToArray(input, whole_), x_array = ToArray(x, whole_), output = Allocate(whole_);
  ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, measured, nullptr));
  for (const bool weighted : {true, false}) {
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{input_array.get()},
                              MultiplyUpdate{.p = Extrapolate{x_array.get(), nullptr, 0, 0},
                                             .weights = weighted ? weights.get() : nullptr,
                                             .weight_floor = weight_floor,
                                             .output = output.get(),
                                             .floor = floor,
                                             .full_weight = full_weight}}));
    EXPECT_LE(Difference(ToField(*output), weighted ? expected : plain, whole_), 1e-5);
  }
}

TEST_P(BackendSuite, KeepsTheChangeAndItsProducts) {
  for (const Shape3& domain : {Shape3{8, 9, 10}, Shape3{3, 4, 37}}) {
    Open(domain, 2);
    const Psf psf = RandomPsf({3, 3, 3});
    const auto otf = ToOtf(psf);
    const Volume input = RandomField(whole_, 0.5, 1.5), x = RandomField(whole_), before = RandomField(whole_);
    const Volume old = RandomField(whole_, -3, 3);
    const Volume v = Correlate(input, psf);
    Volume change(domain_.z, domain_.y, domain_.x);
    double new_old = 0, old_old = 0;
    for (size_t i = 0; i < v.values.size(); ++i) {
      const double p = std::max(x.values[i] + 0.5 * (x.values[i] - before.values[i]), 0.1 * x.values[i]);
      change.values[i] = p * v.values[i] - p;
      new_old += change.values[i] * old.values[i];
      old_old += old.values[i] * old.values[i];
    }
    const auto input_array = ToArray(input, whole_), x_array = ToArray(x, whole_);
    const auto previous = ToArray(before, whole_), change_array = ToArray(old, whole_);
    ChangeProducts products{.new_old = -1, .old_old = -1};
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{input_array.get()},
                              MultiplyUpdate{.p = Extrapolate{x_array.get(), previous.get(), 0.5F, 0.1F},
                                             .weights = nullptr,
                                             .weight_floor = 0,
                                             .output = previous.get(),
                                             .change = change_array.get(),
                                             .products = &products}}));
    EXPECT_LE(Difference(ToField(*change_array), change, whole_), 1e-5);
    EXPECT_NEAR(products.new_old, new_old, 1e-5 * old_old);
    EXPECT_NEAR(products.old_old / old_old, 1, 1e-9);
  }
}

TEST_P(BackendSuite, ReadsTheMagnitudeOfAnOtf) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Psf psf = RandomPsf({4, 3, 5});
    const auto otf = ToOtf(psf);
    std::vector<float> found(static_cast<size_t>(domain.z * domain.y * (domain.x / 2 + 1)));
    ASSERT_OK(ops_->ReadMagnitude(*otf, found));
    const reference::Spectrum expected = reference::OtfOf(psf, domain.z, domain.y, domain.x);
    size_t i = 0;
    ForEach({{}, {domain.z, domain.y, domain.x / 2 + 1}}, [&](int64_t z, int64_t y, int64_t x) {
      ASSERT_NEAR(found[i++], std::abs(expected.at(z, y, x)), 1e-6) << z << " " << y << " " << x;
    });
  }
}

TEST_P(BackendSuite, FiltersAnOtf) {
  constexpr float kAlpha = 0.05F;
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Psf psf = RandomPsf({4, 3, 5});
    const auto otf = ToOtf(psf);
    const Volume field = RandomField(whole_);
    const auto input = ToArray(field, whole_);
    const reference::Spectrum h = reference::OtfOf(psf, domain.z, domain.y, domain.x);
    ASSERT_OK_AND_ASSIGN(const auto plain, ops_->FilterOtf(*otf, {.alpha = kAlpha}));
    EXPECT_LE(Difference(ConvolveStored(*input, *plain, true),
                         reference::Filtered(field, reference::Wiener(h, nullptr, kAlpha)), whole_),
              4 * kRounding);

    reference::Spectrum gain = h;
    std::vector<float> half;
    ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
      const auto nearest = [](int64_t i, int64_t n) { return static_cast<double>(std::min(i, n - i)); };
      const double k = nearest(z, domain.z) + 0.7 * nearest(y, domain.y) + 1.3 * nearest(x, domain.x);
      gain.at(z, y, x) = static_cast<float>(0.5 / (1 + k));
      if (x <= domain.x / 2) half.push_back(static_cast<float>(0.5 / (1 + k)));
    });
    ASSERT_OK_AND_ASSIGN(const auto filtered, ops_->FilterOtf(*otf, {.gain = half, .alpha = kAlpha}));
    EXPECT_LE(Difference(ConvolveStored(*input, *filtered, true),
                         reference::Filtered(field, reference::Wiener(h, &gain, kAlpha)), whole_),
              4 * kRounding);
  }
}

TEST_P(BackendSuite, WeightsOfAFilteredOtfAreWhole) {
  Open({12, 14, 16}, 2);
  const Psf psf = RandomPsf({5, 6, 7});
  const auto otf = ToOtf(psf);
  ASSERT_OK_AND_ASSIGN(const auto filtered, ops_->FilterOtf(*otf, {.alpha = 0.1F}));
  const Box3 measured{{0, 0, 0}, {8, 9, 10}};
  const Volume m = RandomField(measured, 1, 1);
  const Volume w = reference::Filtered(m, reference::Wiener(reference::OtfOf(psf, 12, 14, 16), nullptr, 0.1));
  ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*filtered, measured, nullptr));
  const auto zero = Allocate(whole_), ones = Allocate(whole_), output = Allocate(whole_);
  ASSERT_OK(ops_->Fill(*ones, 1));
  // With v = 0 and a full weight above w the step is 1 - w / 4.
  ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{zero.get()},
                            MultiplyUpdate{.p = Extrapolate{ones.get(), nullptr, 0, 0},
                                           .weights = weights.get(),
                                           .weight_floor = kNoFloor,
                                           .output = output.get(),
                                           .full_weight = 4}}));
  const Volume found = ToField(*output);
  for (size_t i = 0; i < w.values.size(); ++i) ASSERT_NEAR(4 * (1 - found.values[i]), w.values[i], 2e-5) << i;
}

}  // namespace deconvoy::worker
