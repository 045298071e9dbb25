// What every backend must do, whatever it is made of: each formula of worker/ops/backend.h against double precision.
//
// A program includes this once and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Cpu, BackendSuite, ::testing::Values(BackendCase{"cpu", [](int threads) { ... }}));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "tests/contract/backend_consensus_suite.h"
#include "tests/contract/backend_fewer_iterations_suite.h"
#include "tests/contract/backend_fixture.h"
#include "tests/contract/backend_linear_suite.h"
#include "tests/contract/backend_roughness_suite.h"
#include "tests/contract/backend_splitting_suite.h"
#include "tests/contract/backend_staging_suite.h"
#include "tests/contract/backend_wavelet_suite.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, SaysWhatItIs) {
  EXPECT_FALSE(backend_->name().empty());
  EXPECT_FALSE(backend_->device().empty());
  EXPECT_GE(backend_->threads(), 1);
  EXPECT_EQ(ops_->domain(), domain_);
}

TEST_P(BackendSuite, NewArraysAreZero) {
  const auto array = Allocate(InnerBox());
  EXPECT_EQ(array->box(), InnerBox());
  ASSERT_OK_AND_ASSIGN(const Reduction r, ops_->Reduce(*array, array->box()));
  EXPECT_EQ(r.minimum, 0);
  EXPECT_EQ(r.maximum, 0);
}

TEST_P(BackendSuite, ConvolvesOnAnyDomain) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Psf psf =
        RandomPsf({std::min<int64_t>(domain.z, 3), std::min<int64_t>(domain.y, 5), std::min<int64_t>(domain.x, 4)});
    const auto otf = ToOtf(psf);
    const Volume field = RandomField(whole_);
    const auto input = ToArray(field, whole_);
    EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), Convolve(field, psf), whole_), kRounding);
    EXPECT_LE(Difference(ConvolveStored(*input, *otf, true), Correlate(field, psf), whole_), kRounding);
  }
}

// Backends may keep less of the transform of a PSF that equals its own reflection; nobody must see it.
TEST_P(BackendSuite, ConvolvesWithASymmetricPsf) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    for (const Shape3& shape : {Shape3{3, 5, 3}, Shape3{1, 1, 1}, Shape3{5, 3, 31}}) {
      Psf psf = RandomPsf(shape);
      psf.cz = shape.z / 2, psf.cy = shape.y / 2, psf.cx = shape.x / 2;
      std::vector<double>& h = psf.h.values;
      for (size_t i = 0; i < h.size() / 2; ++i) {
        h[i] = static_cast<float>(h[i]);
        h[h.size() - 1 - i] = h[i];
      }
      const auto otf = ToOtf(psf);
      const Volume field = RandomField(whole_);
      const auto input = ToArray(field, whole_);
      EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), Convolve(field, psf), whole_), kRounding);
      EXPECT_LE(Difference(ConvolveStored(*input, *otf, true), Correlate(field, psf), whole_), kRounding);
    }
  }
}

TEST_P(BackendSuite, PsfLargerThanTheDomainWrapsAround) {
  Open({4, 5, 6}, 2);
  const Psf psf = RandomPsf({9, 7, 15});
  const auto otf = ToOtf(psf);
  const Volume field = RandomField(whole_);
  const auto input = ToArray(field, whole_);
  EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), Convolve(field, psf), whole_), kRounding);
}

TEST_P(BackendSuite, KeepsAConstant) {
  const auto otf = ToOtf(RandomPsf({5, 3, 4}));
  const auto input = Allocate(whole_);
  EXPECT_OK(ops_->Fill(*input, 7.5F));
  const Volume constant(domain_.z, domain_.y, domain_.x, 7.5);
  EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), constant, whole_), kRounding);
}

TEST_P(BackendSuite, InputIsZeroOutsideItsBoxAndOutputIsItsBox) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Box3 from = InnerBox();
    const Box3 to{{0, 0, 0}, {std::max<int64_t>(1, domain.z - 1), (domain.y + 1) / 2, (2 * domain.x + 2) / 3}};
    const Psf psf =
        RandomPsf({std::min<int64_t>(domain.z, 4), std::min<int64_t>(domain.y, 3), std::min<int64_t>(domain.x, 5)});
    const auto otf = ToOtf(psf);
    // What lies in memory from an earlier convolution must not be seen.
    ConvolveStored(*ToArray(RandomField(whole_, 1e3, 1e4), whole_), *otf, false);
    const Volume field = RandomField(from);
    const auto input = ToArray(field, from);
    const auto output = Allocate(to);
    EXPECT_OK(ops_->Convolve({otf.get(), false, Identity{input.get()}, Store{output.get()}}));
    EXPECT_LE(Difference(ToField(*output), Convolve(field, psf), to), kRounding);
  }
}

TEST_P(BackendSuite, AdjointIsTheAdjoint) {
  const auto otf = ToOtf(RandomPsf({5, 4, 3}));
  const Volume x = RandomField(whole_), y = RandomField(whole_);
  const Volume hx = ConvolveStored(*ToArray(x, whole_), *otf, false);
  const Volume hy = ConvolveStored(*ToArray(y, whole_), *otf, true);
  double left = 0, right = 0;
  for (size_t i = 0; i < x.values.size(); ++i) {
    left += hx.values[i] * y.values[i];
    right += x.values[i] * hy.values[i];
  }
  EXPECT_NEAR(left / right, 1, 1e-6);
}

TEST_P(BackendSuite, Extrapolates) {
  const Psf psf = RandomPsf({3, 3, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume x = RandomField(box), before = RandomField(box);
  const auto x_array = ToArray(x, box), before_array = ToArray(before, box);
  const float alpha = 0.75F, floor = 0.1F;
  Volume p(domain_.z, domain_.y, domain_.x);
  bool floored = false;
  for (size_t i = 0; i < p.values.size(); ++i) {
    const double step = x.values[i] + alpha * (x.values[i] - before.values[i]);
    floored |= step < 0.1 * x.values[i];
    p.values[i] = std::max(step, 0.1 * x.values[i]);
  }
  ASSERT_TRUE(floored);
  const auto output = Allocate(whole_);
  ASSERT_OK(ops_->Convolve(
      {otf.get(), false, Extrapolate{x_array.get(), before_array.get(), alpha, floor}, Store{output.get()}}));
  EXPECT_LE(Difference(ToField(*output), Convolve(p, psf), whole_), kRounding);
  ASSERT_OK(ops_->Convolve({otf.get(), false, Extrapolate{x_array.get(), nullptr, 0, floor}, Store{output.get()}}));
  EXPECT_LE(Difference(ToField(*output), Convolve(x, psf), whole_), kRounding);
}

TEST_P(BackendSuite, GuardedRatioFollowsItsFormula) {
  const Psf psf = RandomPsf({3, 5, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  Volume p = RandomField(whole_);
  // A dark corner, where the denominator is guarded.
  ForEach({{}, {5, 6, 6}}, [&](int64_t z, int64_t y, int64_t x) { p.at(z, y, x) = 0; });
  Volume y = RandomField(box), mask = RandomField(box, 1, 1);
  ForEach({box.origin, {1, 2, 2}}, [&](int64_t k, int64_t j, int64_t i) { y.at(k, j, i) = 0; });
  ForEach({{box.origin.z, box.origin.y + 2, box.origin.x}, {2, 1, 3}},
          [&](int64_t k, int64_t j, int64_t i) { mask.at(k, j, i) = 0; });
  const auto p_array = ToArray(p, whole_), y_array = ToArray(y, box), mask_array = ToArray(mask, box);
  const float background = 1.5F, floor = 4.0F;
  const Volume v = Convolve(p, psf);
  for (const bool masked : {false, true}) {
    Volume expected(domain_.z, domain_.y, domain_.x);
    double divergence = 0, squares = 0;
    bool guarded = false;
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      const double model = std::max<double>(v.at(k, j, i) + background, floor), measured = y.at(k, j, i);
      guarded |= v.at(k, j, i) + background < floor;
      const double m = masked ? mask.at(k, j, i) : 1;
      expected.at(k, j, i) = m * measured / model;
      divergence += m * (model - measured + (measured > 0 ? measured * std::log(measured / model) : 0));
      squares += m * std::pow(measured - background - v.at(k, j, i), 2);
    });
    ASSERT_TRUE(guarded);
    const auto output = Allocate(box);
    double found = -1, found_squares = -1;
    ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{p_array.get()},
                              GuardedRatio{.y = y_array.get(),
                                           .mask = masked ? mask_array.get() : nullptr,
                                           .background = background,
                                           .floor = floor,
                                           .output = output.get(),
                                           .i_divergence = &found,
                                           .squares = &found_squares}}));
    EXPECT_LE(Difference(ToField(*output), expected, box), kRounding);
    EXPECT_NEAR(found / divergence, 1, 1e-5);
    EXPECT_NEAR(found_squares / squares, 1, 1e-5);
  }
}

TEST_P(BackendSuite, MultiplyUpdateFollowsItsFormula) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Box3 measured = InnerBox();
  const Volume ones = RandomField(measured, 1, 1);
  const Volume w = Correlate(ones, psf);
  const Volume input = RandomField(whole_), x = RandomField(whole_), before = RandomField(whole_);
  const Volume v = Correlate(input, psf);
  const float alpha = 0.5F, floor = 0.1F, weight_floor = 0.01F;
  Volume weighted(domain_.z, domain_.y, domain_.x), plain = weighted;
  int left_alone = 0;
  for (size_t i = 0; i < v.values.size(); ++i) {
    const double p = std::max(x.values[i] + alpha * (x.values[i] - before.values[i]), floor * x.values[i]);
    left_alone += w.values[i] < weight_floor ? 1 : 0;
    weighted.values[i] = w.values[i] >= weight_floor ? p * v.values[i] / w.values[i] : p;
    plain.values[i] = p * v.values[i];
  }
  ASSERT_GT(left_alone, 0);
  const auto input_array = ToArray(input, whole_), x_array = ToArray(x, whole_);
  ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, measured, nullptr));
  const auto update = [&](const Weights* used, Array* previous, Array* output) {
    ASSERT_OK(ops_->Convolve(
        {otf.get(), true, Identity{input_array.get()},
         MultiplyUpdate{Extrapolate{x_array.get(), previous, alpha, floor}, used, weight_floor, output}}));
  };
  {
    const auto previous = ToArray(before, whole_), output = Allocate(whole_);
    update(weights.get(), previous.get(), output.get());
    EXPECT_LE(Difference(ToField(*output), weighted, whole_), 1e-5);  // small weights magnify rounding
    update(nullptr, previous.get(), output.get());
    EXPECT_LE(Difference(ToField(*output), plain, whole_), kRounding);
    EXPECT_EQ(Difference(ToField(*previous), before, whole_), 0);
    const auto part = Allocate(measured);
    update(nullptr, previous.get(), part.get());
    EXPECT_LE(Difference(ToField(*part), plain, measured), kRounding);
  }
  {
    const auto previous = ToArray(before, whole_);
    update(nullptr, previous.get(), previous.get());
    EXPECT_LE(Difference(ToField(*previous), plain, whole_), kRounding);
    const auto again = ToArray(before, whole_);
    update(nullptr, again.get(), x_array.get());
    EXPECT_LE(Difference(ToField(*x_array), plain, whole_), kRounding);
  }
}

TEST_P(BackendSuite, EstimateSmallerThanTheOutputIsZeroOutside) {
  const Psf psf = RandomPsf({3, 3, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume input = RandomField(whole_), x = RandomField(box);
  const auto input_array = ToArray(input, whole_), x_array = ToArray(x, box), output = Allocate(whole_);
  ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{input_array.get()},
                            MultiplyUpdate{Extrapolate{x_array.get(), nullptr, 0, 0}, nullptr, 0, output.get()}}));
  Volume expected = Convolve(input, psf);
  for (size_t i = 0; i < expected.values.size(); ++i) expected.values[i] *= x.values[i];
  EXPECT_LE(Difference(ToField(*output), expected, whole_), kRounding);
}

// Weights cannot be read: with p = 1 and v = 1 the update is 1 / w.
TEST_P(BackendSuite, WeightsAreTheAdjointOfTheMask) {
  struct Layout {
    Shape3 domain;
    Box3 measured;
    Shape3 psf;
    bool masked;
  };
  const Layout layouts[] = {
      {{12, 14, 16}, {{0, 0, 0}, {8, 9, 10}}, {5, 6, 7}, false},   // exactly room for the PSF
      {{12, 14, 18}, {{2, 3, 4}, {7, 6, 9}}, {3, 4, 5}, false},    // more room, off the origin
      {{9, 20, 20}, {{0, 0, 0}, {9, 10, 10}}, {5, 3, 11}, false},  // all of one axis
      {{9, 10, 11}, {{1, 2, 3}, {7, 6, 7}}, {6, 7, 8}, false},     // the PSF meets the box from both sides
      {{8, 9, 10}, {{0, 0, 0}, {8, 9, 10}}, {3, 3, 3}, false},     // all measured
      {{14, 15, 16}, {{3, 3, 3}, {3, 4, 2}}, {9, 9, 9}, false},    // PSF larger than the box
      {{11, 12, 13}, {{0, 0, 0}, {8, 9, 10}}, {3, 4, 4}, true},
  };
  for (const Layout& layout : layouts) {
    SCOPED_TRACE(::testing::Message() << "domain of " << layout.domain.z << " planes, psf " << layout.psf.x);
    Open(layout.domain, 2);
    const Psf psf = RandomPsf(layout.psf);
    const auto otf = ToOtf(psf);
    Volume m = RandomField(layout.measured, 1, 1);
    std::unique_ptr<Array> mask;
    if (layout.masked) {
      std::bernoulli_distribution dead(0.2);
      ForEach(layout.measured, [&](int64_t z, int64_t y, int64_t x) { m.at(z, y, x) = dead(random_) ? 0 : 1; });
      mask = ToArray(m, layout.measured);
    }
    const Volume w = Correlate(m, psf);
    ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, layout.measured, mask.get()));
    const auto ones = Allocate(whole_), output = Allocate(whole_);
    ASSERT_OK(ops_->Fill(*ones, 1));
    ASSERT_OK(
        ops_->Convolve({otf.get(), false, Identity{ones.get()},
                        MultiplyUpdate{Extrapolate{ones.get(), nullptr, 0, 0}, weights.get(), 0.01F, output.get()}}));
    const Volume found = ToField(*output);
    ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
      if (std::abs(w.at(z, y, x) - 0.01) < 1e-5) return;
      const double expected = w.at(z, y, x) >= 0.01 ? w.at(z, y, x) : 1;
      ASSERT_NEAR(1 / found.at(z, y, x), expected, 2e-5) << z << " " << y << " " << x;
    });
  }
}

TEST_P(BackendSuite, ConvolveThenEqualsTwoConvolutions) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Psf psf =
        RandomPsf({std::min<int64_t>(domain.z, 3), std::min<int64_t>(domain.y, 4), std::min<int64_t>(domain.x, 5)});
    const auto otf = ToOtf(psf);
    const Box3 box = InnerBox();
    const auto x = ToArray(RandomField(whole_), whole_), before = ToArray(RandomField(whole_), whole_);
    const auto y = ToArray(RandomField(box), box);
    const Extrapolate p{x.get(), before.get(), 0.3F, 0.1F};
    const auto ratio = Allocate(box), separate = Allocate(whole_), together = Allocate(whole_);
    double first = -1, second = -2;
    GuardedRatio quotient{
        .y = y.get(), .mask = nullptr, .background = 1, .floor = 1e-6F, .output = ratio.get(), .i_divergence = &first};
    ASSERT_OK(ops_->Convolve({otf.get(), false, p, quotient}));
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{ratio.get()}, MultiplyUpdate{p, nullptr, 0, separate.get()}}));
    quotient.output = nullptr;
    quotient.i_divergence = &second;
    ASSERT_OK(ops_->ConvolveThen({otf.get(), false, p, quotient},
                                 {otf.get(), true, Identity{nullptr}, MultiplyUpdate{p, nullptr, 0, together.get()}}));
    EXPECT_LE(Difference(ToField(*together), ToField(*separate), whole_), kRounding);
    EXPECT_NEAR(first, second, 1e-6 * std::abs(first) + 1e-9);
  }
}

TEST_P(BackendSuite, CountsTransforms) {
  const auto otf = ToOtf(RandomPsf({3, 3, 3}));
  const auto x = ToArray(RandomField(whole_), whole_), output = Allocate(whole_);
  const int64_t before = ops_->transforms();
  ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{x.get()}, Store{output.get()}}));
  EXPECT_EQ(ops_->transforms() - before, 2);
  const GuardedRatio ratio{.y = x.get(), .mask = nullptr, .background = 0, .floor = 1, .output = nullptr};
  ASSERT_OK(ops_->ConvolveThen({otf.get(), false, Identity{x.get()}, ratio},
                               {otf.get(), true, Identity{nullptr}, Store{output.get()}}));
  EXPECT_EQ(ops_->transforms() - before, 6);
}

TEST_P(BackendSuite, UploadsDownloadsAndCopiesBoxes) {
  const Box3 box{{1, 2, 3}, {6, 5, 7}}, part{{2, 3, 5}, {3, 2, 4}};
  const auto array = Allocate(box);
  ASSERT_OK(ops_->Fill(*array, -1));
  const Volume field = RandomField(whole_);
  std::vector<float> host;
  ForEach(part, [&](int64_t z, int64_t y, int64_t x) { host.push_back(static_cast<float>(field.at(z, y, x))); });
  ASSERT_OK(ops_->Upload(host, part, *array));
  std::vector<float> back(host.size());
  ASSERT_OK(ops_->Download(*array, part, back));
  EXPECT_EQ(back, host);
  const auto copy = Allocate(whole_);
  ASSERT_OK(ops_->Copy(*array, box, *copy));
  const Volume found = ToField(*copy);
  ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
    const Box3 voxel{{z, y, x}, {1, 1, 1}};
    const double expected = part.Contains(voxel) ? field.at(z, y, x) : box.Contains(voxel) ? -1 : 0;
    ASSERT_EQ(found.at(z, y, x), expected) << z << " " << y << " " << x;
  });
}

TEST_P(BackendSuite, ReducesAndCountsWhatIsNotFinite) {
  Volume field = RandomField(whole_, -3, 5);
  const Box3 box{{1, 1, 1}, {5, 6, 7}};
  field.at(1, 1, 1) = std::nan("");
  field.at(5, 6, 7) = std::numeric_limits<double>::infinity();
  field.at(2, 2, 2) = -std::numeric_limits<double>::infinity();
  field.at(0, 0, 0) = std::nan("");  // outside the box
  field.at(3, 3, 3) = 100;
  field.at(4, 4, 4) = -50;
  double sum = 0;
  ForEach(box,
          [&](int64_t z, int64_t y, int64_t x) { sum += std::isfinite(field.at(z, y, x)) ? field.at(z, y, x) : 0; });
  const auto array = ToArray(field, whole_);
  ASSERT_OK_AND_ASSIGN(const Reduction r, ops_->Reduce(*array, box));
  EXPECT_EQ(r.not_finite, 3);
  EXPECT_NEAR(r.sum, sum, 1e-9);
  EXPECT_EQ(r.minimum, -50);
  EXPECT_EQ(r.maximum, 100);
  ASSERT_OK_AND_ASSIGN(const Reduction none, ops_->Reduce(*array, {{0, 0, 0}, {1, 1, 1}}));
  EXPECT_EQ(none.not_finite, 1);
  EXPECT_EQ(none.sum, 0);
  EXPECT_EQ(none.minimum, 0);
  EXPECT_EQ(none.maximum, 0);
}

TEST_P(BackendSuite, NotANumberStaysVisible) {
  const auto otf = ToOtf(RandomPsf({3, 3, 3}));
  Volume field = RandomField(whole_);
  field.at(4, 4, 4) = std::nan("");
  const auto x = ToArray(field, whole_), y = ToArray(RandomField(whole_), whole_), output = Allocate(whole_);
  const GuardedRatio ratio{.y = y.get(), .mask = nullptr, .background = 0, .floor = 1e-3F, .output = nullptr};
  const Extrapolate p{x.get(), nullptr, 0, 0};
  ASSERT_OK(ops_->ConvolveThen({otf.get(), false, p, ratio},
                               {otf.get(), true, Identity{nullptr}, MultiplyUpdate{p, nullptr, 0, output.get()}}));
  ASSERT_OK_AND_ASSIGN(const Reduction r, ops_->Reduce(*output, whole_));
  EXPECT_GT(r.not_finite, 0);
}

TEST_P(BackendSuite, ThreadsChangeRoundingOnly) {
  const Volume x0 = reference::RandomVolume(11, 12, 14, 1, 20, random_);
  const Psf psf = RandomPsf({3, 5, 3});
  Volume results[2];
  for (const int threads : {1, 3}) {
    Open({11, 12, 14}, threads);
    const auto otf = ToOtf(psf);
    auto x = ToArray(x0, whole_), before = ToArray(x0, whole_);
    const auto y = ToArray(x0, InnerBox());
    ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, InnerBox(), nullptr));
    const GuardedRatio ratio{.y = y.get(), .mask = nullptr, .background = 0, .floor = 1e-3F, .output = nullptr};
    for (int k = 1; k <= 20; ++k) {  // heavy-ball, which enlarges rounding
      const Extrapolate p{x.get(), before.get(), static_cast<float>(k - 1) / static_cast<float>(k + 2), 0.1F};
      ASSERT_OK(ops_->ConvolveThen(
          {otf.get(), false, p, ratio},
          {otf.get(), true, Identity{nullptr}, MultiplyUpdate{p, weights.get(), 0.01F, before.get()}}));
      std::swap(x, before);
    }
    results[threads == 1 ? 0 : 1] = ToField(*x);
  }
  EXPECT_LE(reference::RelativeError(results[1], results[0]), 1e-6);
}

TEST_P(BackendSuite, TwoDomainsOfOneBackendDoNotMix) {
  ASSERT_OK_AND_ASSIGN(const auto other, backend_->Open({3, 20, 6}));
  const Psf psf = RandomPsf({3, 3, 3});
  const auto otf = ToOtf(psf);
  const std::vector<float> values(psf.h.values.begin(), psf.h.values.end());
  ASSERT_OK_AND_ASSIGN(const auto other_otf, other->MakeOtf(values, {3, 3, 3}, {1, 1, 1}));
  ASSERT_OK_AND_ASSIGN(const auto other_array, other->Allocate({{}, {3, 20, 6}}));
  const Volume field = RandomField(whole_);
  const auto input = ToArray(field, whole_);
  ASSERT_OK(other->Convolve({other_otf.get(), false, Identity{other_array.get()}, Store{other_array.get()}}));
  EXPECT_LE(Difference(ConvolveStored(*input, *otf, false), Convolve(field, psf), whole_), kRounding);
}

TEST_P(BackendSuite, TooMuchMemoryIsAnErrorThatSaysSo) {
  const auto opened = backend_->Open({100000, 100000, 100000});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(ReasonOf(opened.status()), v1::OUT_OF_MEMORY);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace deconvoy::worker
