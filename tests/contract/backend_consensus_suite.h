// The part of the backends' contract that gradient consensus rests on; included by backend_suite.h.
#pragma once

#include "tests/contract/backend_fixture.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, ConvolvesAProduct) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Psf psf = RandomPsf({3, 4, 3});
    const auto otf = ToOtf(psf);
    const Box3 box = InnerBox();
    const Volume a = RandomField(box), b = RandomField(box);
    Volume product(domain.z, domain.y, domain.x);
    ForEach(box, [&](int64_t z, int64_t y, int64_t x) {
      product.at(z, y, x) = -2 * (a.at(z, y, x) - 1) * (b.at(z, y, x) - 0.25);
    });
    const auto a_array = ToArray(a, box), b_array = ToArray(b, box), output = Allocate(whole_);
    const Product p{.a = a_array.get(), .a_offset = 1, .b = b_array.get(), .b_offset = 0.25F, .scale = -2};
    ASSERT_OK(ops_->Convolve({otf.get(), true, p, Store{output.get()}}));
    EXPECT_LE(Difference(ToField(*output), Correlate(product, psf), whole_), kRounding);
  }
}

TEST_P(BackendSuite, DividesByTheWeights) {
  const Psf psf = RandomPsf({3, 4, 5});
  const auto otf = ToOtf(psf);
  const Box3 measured = InnerBox(), to{{1, 0, 2}, {7, 9, 8}};
  const Volume input = RandomField(whole_), v = Correlate(input, psf);
  const Volume w = Correlate(RandomField(measured, 1, 1), psf);
  Volume expected(domain_.z, domain_.y, domain_.x), plain = expected;
  int divided = 0, others = 0;
  ForEach(to, [&](int64_t z, int64_t y, int64_t x) {
    const bool divides = w.at(z, y, x) >= 0.3;
    expected.at(z, y, x) = divides ? v.at(z, y, x) / w.at(z, y, x) : 7;
    plain.at(z, y, x) = v.at(z, y, x);
    ++(divides ? divided : others);
  });
  ASSERT_GT(std::min(divided, others), 0);
  const auto input_array = ToArray(input, whole_), output = Allocate(to);
  ASSERT_OK_AND_ASSIGN(const auto weights, ops_->MakeWeights(*otf, measured, nullptr));
  for (const bool weighted : {true, false}) {
    ASSERT_OK(ops_->Convolve({otf.get(), true, Identity{input_array.get()},
                              Divide{.weights = weighted ? weights.get() : nullptr,
                                     .weight_floor = 0.3F,
                                     .otherwise = 7,
                                     .output = output.get()}}));
    EXPECT_LE(Difference(ToField(*output), weighted ? expected : plain, to), 1e-5);
  }
}

TEST_P(BackendSuite, UpdatesWhereBothAgree) {
  const Psf psf = RandomPsf({3, 3, 5});
  const auto otf = ToOtf(psf);
  const Box3 inner = InnerBox();
  for (const Box3& box : {whole_, inner}) {
    const Volume first = RandomField(whole_, 0, 2), second = RandomField(whole_, 0, 2), x = RandomField(box);
    Volume product = first;
    for (size_t i = 0; i < product.values.size(); ++i) {
      product.values[i] = (first.values[i] - 1) * (second.values[i] - 1);
    }
    const Volume v = Convolve(product, psf);
    Volume expected = x;
    int updated = 0, kept = 0;
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      ++(v.at(k, j, i) < 0 ? kept : updated);
      if (v.at(k, j, i) >= 0) expected.at(k, j, i) *= (first.at(k, j, i) + second.at(k, j, i)) / 2;
    });
    ASSERT_GT(std::min(updated, kept), 0);
    const auto first_array = ToArray(first, whole_), second_array = ToArray(second, whole_), x_array = ToArray(x, box);
    ASSERT_OK(ops_->Convolve(
        {otf.get(), false,
         Product{.a = first_array.get(), .a_offset = 1, .b = second_array.get(), .b_offset = 1, .scale = 1},
         ConsensusUpdate{.first = first_array.get(), .second = second_array.get(), .x = x_array.get()}}));
    // A value within rounding of 0 may fall on either side.
    const Volume found = ToField(*x_array);
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      if (std::abs(v.at(k, j, i)) < 1e-6) return;
      ASSERT_NEAR(found.at(k, j, i), expected.at(k, j, i), 1e-5 * expected.at(k, j, i)) << k << " " << j << " " << i;
    });
  }
}

// Both halves agree, and rounding has put their quotients below 0.
TEST_P(BackendSuite, ConsensusDoesNotGoBelowZero) {
  const auto otf = ToOtf(RandomPsf({3, 3, 3}));
  const auto ratios = Allocate(whole_), x = Allocate(whole_);
  EXPECT_OK(ops_->Fill(*ratios, -1));
  EXPECT_OK(ops_->Fill(*x, 1));
  ASSERT_OK(ops_->Convolve({otf.get(), false,
                            Product{.a = ratios.get(), .a_offset = 1, .b = ratios.get(), .b_offset = 1, .scale = 1},
                            ConsensusUpdate{.first = ratios.get(), .second = ratios.get(), .x = x.get()}}));
  EXPECT_LE(Difference(ToField(*x), Volume(domain_.z, domain_.y, domain_.x), whole_), 0);
}

// What is not a number must not be taken for disagreement.
TEST_P(BackendSuite, ConsensusDoesNotHideNotANumber) {
  const auto otf = ToOtf(RandomPsf({3, 3, 3}));
  const auto ratios = Allocate(whole_), x = Allocate(whole_);
  EXPECT_OK(ops_->Fill(*ratios, std::numeric_limits<float>::quiet_NaN()));
  EXPECT_OK(ops_->Fill(*x, 1));
  ASSERT_OK(ops_->Convolve({otf.get(), false,
                            Product{.a = ratios.get(), .a_offset = 1, .b = ratios.get(), .b_offset = 1, .scale = 1},
                            ConsensusUpdate{.first = ratios.get(), .second = ratios.get(), .x = x.get()}}));
  ASSERT_OK_AND_ASSIGN(const Reduction r, ops_->Reduce(*x, whole_));
  EXPECT_EQ(r.not_finite, domain_.voxels());
}

}  // namespace deconvoy::worker
