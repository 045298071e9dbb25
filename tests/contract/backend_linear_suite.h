// The part of the backends' contract that methods for Gaussian noise rest on; included by backend_suite.h.
#pragma once

#include <cmath>
#include <complex>
#include <vector>

#include "tests/contract/backend_fixture.h"
#include "tests/reference/back_projectors.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, ExtrapolatesWithoutAFloor) {
  const Psf psf = RandomPsf({3, 3, 3});
  const auto otf = ToOtf(psf);
  const Volume x = RandomField(whole_, -5, 5), before = RandomField(whole_, -5, 5);
  Volume p = x;
  for (size_t i = 0; i < p.values.size(); ++i) p.values[i] += 0.75 * (x.values[i] - before.values[i]);
  const auto x_array = ToArray(x, whole_), before_array = ToArray(before, whole_), output = Allocate(whole_);
  ASSERT_OK(ops_->Convolve(
      {otf.get(), false, Extrapolate{x_array.get(), before_array.get(), 0.75F, kNoFloor}, Store{output.get()}}));
  EXPECT_LE(Difference(ToField(*output), Convolve(p, psf), whole_), kRounding);
}

TEST_P(BackendSuite, CombinesArrays) {
  const Volume a = RandomField(InnerBox(), -10, 10), b = RandomField(whole_, -10, 10);
  Volume expected = a;
  ForEach(InnerBox(),
          [&](int64_t z, int64_t y, int64_t x) { expected.at(z, y, x) = 0.5 * a.at(z, y, x) - 2 * b.at(z, y, x); });
  const auto a_array = ToArray(a, InnerBox()), b_array = ToArray(b, whole_);
  ASSERT_OK(ops_->Combine(*a_array, 0.5F, *b_array, -2));
  EXPECT_LE(Difference(ToField(*a_array), expected, whole_), kRounding);
  EXPECT_LE(Difference(ToField(*b_array), b, whole_), 0);
}

TEST_P(BackendSuite, ResidualFollowsItsFormula) {
  const Psf psf = RandomPsf({3, 5, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume p = RandomField(whole_), y = RandomField(box);
  Volume mask = RandomField(box, 1, 1);
  mask.at(box.origin.z, box.origin.y + 1, box.origin.x) = 0;
  const auto p_array = ToArray(p, whole_), y_array = ToArray(y, box), mask_array = ToArray(mask, box);
  const Volume v = Convolve(p, psf);
  for (const bool masked : {false, true}) {
    Volume expected(domain_.z, domain_.y, domain_.x);
    double squares = 0;
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      const double m = masked ? mask.at(k, j, i) : 1, difference = y.at(k, j, i) - 1.5 - v.at(k, j, i);
      expected.at(k, j, i) = m * difference;
      squares += m * difference * difference;
    });
    const auto output = Allocate(box);
    double found = -1;
    ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{p_array.get()},
                              Residual{.y = y_array.get(),
                                       .mask = masked ? mask_array.get() : nullptr,
                                       .background = 1.5F,
                                       .output = output.get(),
                                       .squares = &found}}));
    EXPECT_LE(Difference(ToField(*output), expected, box), 4 * kRounding);
    EXPECT_NEAR(found / squares, 1, 1e-5);
  }
}

TEST_P(BackendSuite, AddUpdateFollowsItsFormula) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Volume input = RandomField(whole_), x = RandomField(whole_), addend = RandomField(whole_);
  const Volume v = Correlate(input, psf);
  const auto input_array = ToArray(input, whole_), addend_array = ToArray(addend, whole_);
  for (const bool added : {false, true}) {
    const float scale = added ? -0.5F : 0;
    Volume expected = x;
    double squares = 0, found = -1;
    for (size_t i = 0; i < x.values.size(); ++i) {
      const double step = -0.75 * v.values[i] + scale * addend.values[i];
      expected.values[i] = std::min(std::max(x.values[i] + step + 2, 1.0), 6.0);
      squares += step * step;
    }
    const auto x_array = ToArray(x, whole_);
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{input_array.get()},
                              AddUpdate{.p = Extrapolate{x_array.get(), nullptr, 0, kNoFloor},
                                        .step = -0.75F,
                                        .output = x_array.get(),
                                        .addend = added ? addend_array.get() : nullptr,
                                        .scale = scale,
                                        .offset = 2,
                                        .floor = 1,
                                        .ceiling = 6,
                                        .squares = &found}}));
    EXPECT_LE(Difference(ToField(*x_array), expected, whole_), 4 * kRounding);
    EXPECT_NEAR(found, squares, 1e-5 * squares);
  }
}

TEST_P(BackendSuite, AResidualIsTakenBackInOneStep) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume x = RandomField(whole_), y = RandomField(box);
  Volume residual(domain_.z, domain_.y, domain_.x);
  const Volume v = Convolve(x, psf);
  ForEach(box, [&](int64_t k, int64_t j, int64_t i) { residual.at(k, j, i) = y.at(k, j, i) - v.at(k, j, i); });
  const Volume back = Correlate(residual, psf);
  Volume expected = x;
  for (size_t i = 0; i < x.values.size(); ++i) expected.values[i] += 0.5 * back.values[i];
  const auto x_array = ToArray(x, whole_), y_array = ToArray(y, box);
  const Extrapolate p{x_array.get(), nullptr, 0, kNoFloor};
  const int64_t before = ops_->transforms();
  ASSERT_OK(ops_->ConvolveThen(
      {otf.get(), false, p, Residual{.y = y_array.get(), .mask = nullptr, .background = 0, .output = nullptr}},
      {otf.get(), true, Identity{nullptr}, AddUpdate{.p = p, .step = 0.5F, .output = x_array.get()}}));
  EXPECT_EQ(ops_->transforms() - before, 4);
  EXPECT_LE(Difference(ToField(*x_array), expected, whole_), 4 * kRounding);
}

TEST_P(BackendSuite, RealOtfsAreInTheOrderOfMagnitudes) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Volume field = RandomField(whole_);
    const auto input = ToArray(field, whole_);
    reference::Spectrum filter = reference::Transform(field);
    std::vector<float> values;
    ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
      const auto nearest = [](int64_t i, int64_t n) { return static_cast<double>(std::min(i, n - i)); };
      const double k = nearest(z, domain.z) + 0.7 * nearest(y, domain.y) + 1.3 * nearest(x, domain.x);
      filter.at(z, y, x) = static_cast<float>(1 / (1 + k));
      if (x <= domain.x / 2) values.push_back(static_cast<float>(1 / (1 + k)));
    });
    ASSERT_OK_AND_ASSIGN(const auto otf, ops_->MakeRealOtf(values));
    const Volume expected = reference::Filtered(field, filter);
    EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), expected, whole_), kRounding);
    EXPECT_LE(Difference(ConvolveStored(*input, *otf, true), expected, whole_), kRounding);
  }
}

TEST_P(BackendSuite, FiltersAnOtfWithAPenalty) {
  Open({7, 6, 10}, 2);
  const Psf psf = RandomPsf({4, 3, 5});
  const auto otf = ToOtf(psf);
  const Volume field = RandomField(whole_);
  reference::Spectrum filter = reference::OtfOf(psf, domain_.z, domain_.y, domain_.x);
  std::vector<float> penalty;
  ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
    const auto nearest = [](int64_t i, int64_t n) { return static_cast<double>(std::min(i, n - i)); };
    const auto p =
        static_cast<float>(0.1 * (nearest(z, domain_.z) + 2 * nearest(y, domain_.y) + nearest(x, domain_.x)));
    std::complex<double>& h = filter.at(z, y, x);
    h = std::conj(h) / (std::norm(h) + 0.25 + p);
    if (x <= domain_.x / 2) penalty.push_back(p);
  });
  ASSERT_OK_AND_ASSIGN(const auto filtered,
                       ops_->FilterOtf(*otf, {.penalty = penalty, .alpha = 0.25F, .keeps_constants = false}));
  EXPECT_LE(
      Difference(ConvolveStored(*ToArray(field, whole_), *filtered, true), reference::Filtered(field, filter), whole_),
      4 * kRounding);
}

TEST_P(BackendSuite, DotsAreSumsOverTheBox) {
  const Box3 box = InnerBox();
  const Volume a = RandomField(whole_, -3, 5), b = RandomField(box, -3, 5);
  double expected = 0;
  ForEach(box, [&](int64_t z, int64_t y, int64_t x) { expected += a.at(z, y, x) * b.at(z, y, x); });
  ASSERT_OK_AND_ASSIGN(const double found, ops_->Dot(*ToArray(a, whole_), *ToArray(b, box), box));
  EXPECT_NEAR(found, expected, 1e-9 * std::abs(expected) + 1e-9);
}

TEST_P(BackendSuite, SquaresAreSumsOverWhatCounts) {
  constexpr float kBackground = 1.5F;
  const Box3 box = InnerBox();
  const Volume y = RandomField(box, -3, 5);
  Volume mask = RandomField(whole_, 0.5, 2);
  mask.at(box.origin.z, box.origin.y, box.origin.x) = 0;
  const auto y_array = ToArray(y, box), mask_array = ToArray(mask, whole_);
  for (const bool masked : {false, true}) {
    double expected = 0;
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      expected += (masked ? mask.at(k, j, i) : 1) * std::pow(y.at(k, j, i) - kBackground, 2);
    });
    ASSERT_OK_AND_ASSIGN(const double found,
                         ops_->SumSquares(*y_array, masked ? mask_array.get() : nullptr, kBackground));
    EXPECT_NEAR(found / expected, 1, 1e-6);
  }
}

}  // namespace deconvoy::worker
