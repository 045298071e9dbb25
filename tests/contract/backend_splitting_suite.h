// The part of the backends' contract that methods which split the estimate rest on; included by backend_suite.h.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "tests/contract/backend_fixture.h"
#include "tests/reference/splittings.h"

namespace deconvoy::worker {

class SplittingSuite : public BackendSuite {
 protected:
  static constexpr float kBackgroundOfSplits = 1.5F, kVariance = 6, kRho = 0.125F;

  static reference::Noise Of(Noise noise) {
    return noise == Noise::kPoisson ? reference::Noise::kPoisson : reference::Noise::kGaussian;
  }
  static reference::Order Of(Slopes slopes) {
    return slopes == Slopes::kNone    ? reference::Order::kNone
           : slopes == Slopes::kFirst ? reference::Order::kFirst
                                      : reference::Order::kSecond;
  }

  // What an update by the data does, in double precision, and what it tells.
  struct Updated {
    Volume t, q;
    SplitNorms norms;
    double objective = 0;
    double squares = 0;
  };
  Updated ByData(const Volume& v, const Volume& y, const Volume* mask, const Volume& t, const Box3& box, Noise noise,
                 double scale, bool fresh, double relaxation = 1) const {
    Updated result{t, v, {}};
    const auto least = [&](double of_t, double of_y) {
      return reference::LeastMisfit(Of(noise), of_y, of_t, kBackgroundOfSplits, kVariance, kRho);
    };
    ForEach(box, [&](int64_t k, int64_t j, int64_t i) {
      if (mask != nullptr && mask->at(k, j, i) == 0) return;
      const double data = std::max(y.at(k, j, i), noise == Noise::kPoisson ? 0.0 : -1e9);
      const double z_before = least(t.at(k, j, i), data), u_before = fresh ? 0 : t.at(k, j, i) - z_before;
      const double next = relaxation * v.at(k, j, i) + (1 - relaxation) * z_before + u_before;
      const double z = least(next, data), u = scale * (next - z);
      result.norms.primal += std::pow(v.at(k, j, i) - z, 2);
      result.norms.dual += std::pow(z - z_before, 2);
      result.norms.size += z * z;
      result.t.at(k, j, i) = z + u;
      result.q.at(k, j, i) = z - u;
      result.squares +=
          (mask != nullptr ? mask->at(k, j, i) : 1) * std::pow(y.at(k, j, i) - kBackgroundOfSplits - v.at(k, j, i), 2);
      const double model = std::max(v.at(k, j, i) + kBackgroundOfSplits, 0.5);
      result.objective += noise == Noise::kPoisson
                              ? model - y.at(k, j, i) + (data > 0 ? data * std::log(data / model) : 0)
                              : reference::Misfit(Of(noise), data, v.at(k, j, i), kBackgroundOfSplits, kVariance);
    });
    return result;
  }
  static void ExpectNear(const SplitNorms& found, const SplitNorms& expected) {
    EXPECT_NEAR(found.primal, expected.primal, 1e-5 * expected.primal + 1e-9);
    EXPECT_NEAR(found.dual, expected.dual, 1e-5 * expected.dual + 1e-9);
    EXPECT_NEAR(found.size, expected.size, 1e-5 * expected.size + 1e-9);
  }
};

TEST_P(BackendSuite, ClampsAndKeepsWhatIsNotANumber) {
  Volume field = RandomField(whole_, -10, 10), expected = field;
  for (double& v : expected.values) v = std::min(std::max(v, -2.0), 3.0);
  const auto array = ToArray(field, whole_);
  ASSERT_OK(ops_->Clamp(*array, -2, 3));
  EXPECT_EQ(Difference(ToField(*array), expected, whole_), 0);
  field.at(1, 2, 3) = std::nan("");
  const auto other = ToArray(field, whole_);
  ASSERT_OK(ops_->Clamp(*other, 0, kNoCeiling));
  EXPECT_TRUE(std::isnan(ToField(*other).at(1, 2, 3)));
}

TEST_P(SplittingSuite, TheDataUpdateTheirSplitting) {
  const Psf psf = RandomPsf({3, 5, 3});
  const auto otf = ToOtf(psf);
  const Box3 box = InnerBox();
  const Volume x = RandomField(whole_, -5, 20), t = RandomField(box, -30, 30);
  Volume y = RandomField(box, 0, 20), mask = RandomField(box, 0.2, 1);
  y.at(box.origin.z, box.origin.y, box.origin.x) = 0;
  y.at(box.origin.z, box.origin.y + 1, box.origin.x) = -3;
  mask.at(box.origin.z, box.origin.y + 1, box.origin.x + 1) = 0;
  const Volume v = Convolve(x, psf);
  const auto x_array = ToArray(x, whole_), y_array = ToArray(y, box), mask_array = ToArray(mask, box);
  for (const Noise noise : {Noise::kPoisson, Noise::kGaussian}) {
    for (const bool masked : {false, true}) {
      for (const bool fresh : {false, true}) {
        SCOPED_TRACE(::testing::Message() << static_cast<int>(noise) << masked << fresh);
        const Updated expected = ByData(v, y, masked ? &mask : nullptr, t, box, noise, 0.5, fresh, fresh ? 1 : 1.5);
        const auto t_array = ToArray(t, box), output = Allocate(whole_);
        SplitNorms norms;
        double objective = -1, squares = -1;
        ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{x_array.get()},
                                  DataSplit{.y = y_array.get(),
                                            .mask = masked ? mask_array.get() : nullptr,
                                            .background = kBackgroundOfSplits,
                                            .noise = noise,
                                            .variance = kVariance,
                                            .rho = kRho,
                                            .scale = 0.5F,
                                            .relaxation = fresh ? 1.0F : 1.5F,
                                            .fresh = fresh,
                                            .t = t_array.get(),
                                            .output = output.get(),
                                            .norms = &norms,
                                            .objective = &objective,
                                            .floor = 0.5F,
                                            .squares = &squares}}));
        EXPECT_LE(Difference(ToField(*t_array), expected.t, box), 4 * kRounding);
        EXPECT_LE(Difference(ToField(*output), expected.q, whole_), 4 * kRounding);
        ExpectNear(norms, expected.norms);
        EXPECT_NEAR(objective, expected.objective, 1e-5 * std::abs(expected.objective));
        EXPECT_NEAR(squares, expected.squares, 1e-5 * expected.squares);
      }
    }
  }
}

TEST_P(SplittingSuite, SolvesForTheEstimateAndUpdatesTheData) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    for (const bool symmetric : {false, true}) {
      Psf psf = RandomPsf(symmetric ? Shape3{1, 1, 1} : Shape3{3, 4, 5});
      const auto otf = ToOtf(psf);
      const Box3 box = InnerBox();
      const Volume q = RandomField(whole_, -5, 20), r = RandomField(whole_, -5, 20);
      const Volume t = RandomField(box, -5, 20), y = RandomField(box, 0, 20);
      reference::Spectrum inverse = reference::Transform(r);
      std::vector<float> values;
      ForEach(whole_, [&](int64_t k, int64_t j, int64_t i) {
        const auto nearest = [](int64_t at, int64_t n) { return static_cast<double>(std::min(at, n - at)); };
        const double e = 1 + nearest(k, domain.z) + 0.7 * nearest(j, domain.y) + 1.3 * nearest(i, domain.x);
        inverse.at(k, j, i) = static_cast<float>(1 / e);
        if (i <= domain.x / 2) values.push_back(static_cast<float>(1 / e));
      });
      ASSERT_OK_AND_ASSIGN(const auto inverse_otf, ops_->MakeRealOtf(values));
      const auto solved = [&](const Volume& of_q, const Volume& of_r) {
        Volume right = Correlate(of_q, psf);
        for (size_t i = 0; i < right.values.size(); ++i) right.values[i] += 0.5 * of_r.values[i];
        return reference::Filtered(right, inverse);
      };
      const Volume x = solved(q, r);
      const Updated expected = ByData(Convolve(x, psf), y, nullptr, t, box, Noise::kPoisson, 2, false);
      const auto r_array = ToArray(r, whole_), t_array = ToArray(t, box), y_array = ToArray(y, box);
      ASSERT_OK_AND_ASSIGN(const auto spectrum, ops_->Transform(*ToArray(q, whole_)));
      const int64_t before = ops_->transforms();
      const SplitSolve step{.otf = otf.get(),
                            .inverse = inverse_otf.get(),
                            .q = spectrum.get(),
                            .r = Identity{r_array.get()},
                            .weight = 0.5F,
                            .x = Store{r_array.get()},
                            .data = {.y = y_array.get(),
                                     .mask = nullptr,
                                     .background = kBackgroundOfSplits,
                                     .noise = Noise::kPoisson,
                                     .variance = 1,
                                     .rho = kRho,
                                     .scale = 2,
                                     .t = t_array.get(),
                                     .output = nullptr}};
      ASSERT_OK(ops_->SolveSplit(step));
      EXPECT_EQ(ops_->transforms() - before, 4);
      EXPECT_LE(Difference(ToField(*r_array), x, whole_), 4 * kRounding);
      EXPECT_LE(Difference(ToField(*t_array), expected.t, box), 8 * kRounding);
      // The next estimate tells what became of q; something else may come between.
      EXPECT_LE(Difference(ConvolveStored(*ToArray(q, whole_), *otf, false), Convolve(q, psf), whole_), kRounding);
      ASSERT_OK(ops_->Fill(*r_array, 100));
      ASSERT_OK(ops_->SolveSplit(step));
      EXPECT_LE(Difference(ToField(*r_array), solved(expected.q, Volume(domain.z, domain.y, domain.x, 100)), whole_),
                8 * kRounding);
    }
  }
}

TEST_P(SplittingSuite, ThePriorUpdatesItsSplittings) {
  for (const Shape3& domain : Domains()) {
    for (const Slopes slopes : {Slopes::kNone, Slopes::kFirst, Slopes::kSecond}) {
      SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x << " "
                                        << static_cast<int>(slopes));
      Open(domain, 2);
      const std::array<double, 3> factors = {0.25, 0.75, 1};
      constexpr double kThreshold = 6, kScale = 0.5, kRelaxation = 1.5;
      const Volume x = RandomField(whole_, -10, 20);
      std::vector<Volume> t = {RandomField(whole_, -10, 10)};
      PriorSplit split{
          .slopes = slopes, .factors = {0.25F, 0.75F, 1}, .threshold = kThreshold, .relaxation = kRelaxation};
      std::vector<std::unique_ptr<Array>> arrays;
      for (size_t k = 0; k < PartsOf(slopes); ++k) t.push_back(RandomField(whole_, -10, 10));
      for (const Volume& field : t) arrays.push_back(ToArray(field, whole_));
      split.value = arrays[0].get();
      for (size_t k = 0; k < PartsOf(slopes); ++k) split.parts[k] = arrays[k + 1].get();

      const std::vector<Volume> v = reference::PartsOf(x, Of(slopes), factors);
      const auto z_of = [](const std::vector<Volume>& all, double threshold) {
        std::vector<Volume> z = reference::Drawn({all.begin() + 1, all.end()}, threshold);
        z.insert(z.begin(), all[0]);
        for (double& value : z[0].values) value = std::max(value, 0.0);
        return z;
      };
      std::vector<Volume> z_before = z_of(t, kThreshold), next = t;
      for (size_t k = 0; k < t.size(); ++k) {
        for (size_t i = 0; i < x.values.size(); ++i) {
          next[k].values[i] += kRelaxation * ((k == 0 ? x : v[k - 1]).values[i] - z_before[k].values[i]);
        }
      }
      const std::vector<Volume> z = z_of(next, kThreshold);
      PriorUpdate expected{.norms = {}, .roughness = reference::Length(v)};
      std::vector<Volume> q = z;
      for (size_t k = 0; k < t.size(); ++k) {
        for (size_t i = 0; i < x.values.size(); ++i) {
          const double u = next[k].values[i] - z[k].values[i];
          expected.norms.primal += std::pow((k == 0 ? x : v[k - 1]).values[i] - z[k].values[i], 2);
          expected.norms.dual += std::pow(z[k].values[i] - z_before[k].values[i], 2);
          expected.norms.size += z[k].values[i] * z[k].values[i];
          t[k].values[i] = z[k].values[i] + kScale * u;
          q[k].values[i] = z[k].values[i] - kScale * u;
        }
      }
      ASSERT_OK_AND_ASSIGN(const PriorUpdate found, ops_->UpdateSplit(*ToArray(x, whole_), split, kScale));
      for (size_t k = 0; k < t.size(); ++k) {
        EXPECT_LE(Difference(ToField(*arrays[k]), t[k], whole_), 4 * kRounding) << k;
      }
      ExpectNear(found.norms, expected.norms);
      EXPECT_NEAR(found.roughness, expected.roughness, 1e-5 * expected.roughness);

      // P of the next update's penalty gives the same z.
      split.threshold = kThreshold * kScale;
      Volume sum = q[0];
      if (slopes != Slopes::kNone) {
        const Volume back = reference::FromParts({q.begin() + 1, q.end()}, Of(slopes), factors);
        for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += back.values[i];
      }
      const Psf psf = RandomPsf({3, 3, 3});
      const auto output = Allocate(whole_);
      ASSERT_OK(ops_->Convolve({ToOtf(psf).get(), true, SplitSum{&split}, Store{output.get()}}));
      EXPECT_LE(Difference(ToField(*output), Correlate(sum, psf), whole_), 4 * kRounding);
    }
  }
}

TEST_P(SplittingSuite, TakesTheDualBackAndUpdatesSlopesAlone) {
  for (const Slopes slopes : {Slopes::kFirst, Slopes::kSecond}) {
    const std::array<double, 3> factors = {0.25, 0.75, 1};
    constexpr double kThreshold = 6;
    const Volume v = RandomField(whole_, -10, 20);
    PriorSplit split{.slopes = slopes, .factors = {0.25F, 0.75F, 1}, .threshold = kThreshold};
    std::vector<Volume> t;
    std::vector<std::unique_ptr<Array>> arrays;
    for (size_t k = 0; k < PartsOf(slopes); ++k) {
      t.push_back(RandomField(whole_, -10, 10));
      arrays.push_back(ToArray(t[k], whole_));
      split.parts[k] = arrays[k].get();
    }
    const auto dual_of = [](const std::vector<Volume>& all) {
      std::vector<Volume> u = reference::Drawn(all, kThreshold);
      for (size_t k = 0; k < all.size(); ++k) {
        for (size_t i = 0; i < u[k].values.size(); ++i) u[k].values[i] = all[k].values[i] - u[k].values[i];
      }
      return u;
    };
    Volume expected = v;
    const std::vector<Volume> u = dual_of(t);
    const Volume back = reference::FromParts(u, Of(slopes), factors);
    for (size_t i = 0; i < v.values.size(); ++i) expected.values[i] -= 0.5 * back.values[i];
    const auto v_array = ToArray(v, whole_), output = Allocate(whole_);
    ASSERT_OK(ops_->SubtractDual(*v_array, split, 0.5F, *output));
    EXPECT_LE(Difference(ToField(*output), expected, whole_), 4 * kRounding);

    ASSERT_OK(ops_->UpdateSplit(*v_array, split, 1).status());
    std::vector<Volume> next = reference::PartsOf(v, Of(slopes), factors);
    for (size_t k = 0; k < next.size(); ++k) {
      for (size_t i = 0; i < v.values.size(); ++i) next[k].values[i] += u[k].values[i];
      EXPECT_LE(Difference(ToField(*arrays[k]), next[k], whole_), 4 * kRounding);
    }
  }
}

}  // namespace deconvoy::worker
