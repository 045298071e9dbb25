// What every method does in an iteration: as many transforms as its description says, with which a job is planned, also
// where it tells objective and residual, which it does by default, and for which it else does nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/method_name.h"
#include "tests/unit/worker/support/damaged_backend.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

constexpr Shape3 kDomain{8, 12, 16};
constexpr int kIterations = 2, kMore = 3;

class Counting final : public Monitor {
 public:
  explicit Counting(bool hears) : hears_(hears) {}
  absl::Status Iterated(const Iteration& iteration) override {
    ++iterations;
    if (iteration.objective) {
      EXPECT_EQ(iteration.objective->iteration(), iteration.done);
      told.push_back(*iteration.objective);
    }
    return absl::OkStatus();
  }
  bool hears_curve() const override { return hears_; }
  int64_t iterations = 0;
  std::vector<v1::ObjectiveValue> told;

 private:
  const bool hears_;
};

// Counts the operations that are asked for what only a curve needs.
class WatchedOps final : public testing::DamagedOps {
 public:
  explicit WatchedOps(std::unique_ptr<Ops> ops) : DamagedOps(std::move(ops), [](std::span<float>) {}) {}

  absl::Status Convolve(const Convolution& step) override {
    Count(step.epilogue);
    return DamagedOps::Convolve(step);
  }
  absl::Status ConvolveThen(const Convolution& first, const Convolution& second) override {
    Count(first.epilogue);
    return DamagedOps::ConvolveThen(first, second);
  }
  absl::Status SolveSplit(const SplitSolve& step) override {
    measured += step.data.objective != nullptr || step.data.squares != nullptr ? 1 : 0;
    return DamagedOps::SolveSplit(step);
  }
  absl::StatusOr<double> Dot(const Array& a, const Array& b, const Box3& box) override {
    ++dots;
    return DamagedOps::Dot(a, b, box);
  }
  absl::StatusOr<double> SumSquares(const Array& y, const Array* mask, float background) override {
    ++sums;
    return DamagedOps::SumSquares(y, mask, background);
  }

  int measured = 0, dots = 0, sums = 0;

 private:
  void Count(const Epilogue& epilogue) {
    const auto* ratio = std::get_if<GuardedRatio>(&epilogue);
    const auto* residual = std::get_if<Residual>(&epilogue);
    const auto* add = std::get_if<AddUpdate>(&epilogue);
    const bool wanted = (ratio != nullptr && (ratio->i_divergence != nullptr || ratio->squares != nullptr)) ||
                        (residual != nullptr && residual->squares != nullptr) ||
                        (add != nullptr && add->squares != nullptr);
    measured += wanted ? 1 : 0;
  }
};

bool Iterates(const Method& method) {
  for (const v1::Parameter& parameter : method.description().parameters()) {
    if (parameter.name() == "iterations") return true;
  }
  return false;
}

class MethodIterationTest : public ::testing::TestWithParam<const Method*> {
 protected:
  void SetUp() override {
    std::mt19937_64 random(deconvoy::testing::Seed());
    const reference::Psf psf = reference::RandomPsf(3, 5, 4, random);
    image_ = reference::RandomImage(kDomain.z, kDomain.y, kDomain.x, random);
    backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
    ASSERT_OK_AND_ASSIGN(auto ops, backend_->Open(kDomain));
    ops_ = std::make_unique<WatchedOps>(std::move(ops));
    psf_ = {psf.h.values.begin(), psf.h.values.end()};
    centre_ = {psf.cz, psf.cy, psf.cx};
    ASSERT_OK_AND_ASSIGN(otf_, ops_->MakeOtf(psf_, kPsf, centre_));
    ASSERT_OK_AND_ASSIGN(y_, ops_->Allocate({{}, kDomain}));
    ASSERT_OK(ops_->Upload(std::vector<float>(image_.values.begin(), image_.values.end()), y_->box(), *y_));
  }

  // How many a run with these parameters does.
  int64_t TransformsOf(const std::map<std::string, std::string>& given, int64_t iterations, bool hears = true) {
    const Method& method = *GetParam();
    const auto parameters = ResolveParameters(method.description(), given);
    EXPECT_OK(parameters);
    const Problem problem{.ops = ops_.get(),
                          .otf = otf_.get(),
                          .measured = y_.get(),
                          .boundary = v1::PERIODIC,
                          .background = kBackground,
                          .mean = 40,
                          .variance = 900,
                          .psf = MeasurePsf(psf_, kPsf, centre_)};
    Counting counting(hears);
    ops_->measured = ops_->dots = ops_->sums = 0;
    const int64_t before = ops_->transforms();
    EXPECT_OK(method.Run(problem, *parameters, counting));
    EXPECT_EQ(counting.iterations, iterations);
    told_ = counting.told;
    return ops_->transforms() - before;
  }

  // All parameters at their defaults, but for one choice and the number of iterations.
  void ExpectThatOfTheDescription(std::map<std::string, std::string> given) {
    const auto with = [&](int iterations) {
      given["iterations"] = std::to_string(iterations);
      return TransformsOf(given, iterations);
    };
    const int64_t few = with(kIterations), many = with(kIterations + kMore);
    EXPECT_EQ(many - few, kMore * static_cast<int64_t>(GetParam()->description().transforms_per_iteration()));
  }

  // The iterations that the last run has told.
  std::vector<uint32_t> Told() const {
    std::vector<uint32_t> iterations;
    for (const v1::ObjectiveValue& value : told_) iterations.push_back(value.iteration());
    return iterations;
  }

  static constexpr Shape3 kPsf{3, 5, 4};
  static constexpr float kBackground = 2;
  reference::Volume image_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<WatchedOps> ops_;
  std::unique_ptr<Otf> otf_;
  std::unique_ptr<Array> y_;
  std::vector<float> psf_;
  Voxel centre_;
  std::vector<v1::ObjectiveValue> told_;  // of the last run
};

TEST_P(MethodIterationTest, AreAsManyAsDescribed) {
  const v1::Method& description = GetParam()->description();
  ASSERT_GT(description.transforms_per_iteration(), 0U);
  if (!Iterates(*GetParam())) {
    EXPECT_EQ(TransformsOf({}, 1), static_cast<int64_t>(description.transforms_per_iteration()));
    return;
  }
  ExpectThatOfTheDescription({});
  for (const v1::Parameter& parameter : description.parameters()) {
    for (const v1::ParameterChoice& choice : parameter.choices()) {
      if (parameter.name() == "epsilon") continue;  // only together with another choice
      SCOPED_TRACE(parameter.name() + "=" + choice.name());
      ExpectThatOfTheDescription({{parameter.name(), choice.name()}});
    }
  }
}

TEST_P(MethodIterationTest, ACurveIsToldByDefault) {
  const auto& parameters = GetParam()->description().parameters();
  const bool described = std::any_of(parameters.begin(), parameters.end(),
                                     [](const v1::Parameter& parameter) { return parameter.name() == "objective"; });
  ASSERT_EQ(described, Iterates(*GetParam()));
  if (!described) return;
  constexpr int kMany = 12;
  TransformsOf({{"iterations", std::to_string(kMany)}}, kMany);
  ASSERT_EQ(Told(), (std::vector<uint32_t>{1, 5, 10, 12}));
  double data_squares = 0;
  for (const double y : image_.values) data_squares += std::pow(y - kBackground, 2);
  const bool splits = GetParam()->description().name().ends_with("admm");
  for (const v1::ObjectiveValue& value : told_) {
    EXPECT_NEAR(value.data_squares() / data_squares, 1, 1e-6);
    EXPECT_GT(value.value(), 0);
    EXPECT_GT(value.residual_squares(), 0);
    EXPECT_EQ(value.primal_squares() > 0, splits);
    EXPECT_EQ(value.dual_squares() > 0, splits);
  }
  EXPECT_LT(told_.back().value(), told_.front().value());
  EXPECT_LT(told_.back().residual_squares(), told_.back().data_squares());
  // A denoiser takes more than noise out of an image at random, and photons weigh there other than in the residual.
  if (GetParam()->description().name() == "pnp-admm") return;
  EXPECT_LT(told_.back().residual_squares(), told_.front().residual_squares());
}

TEST_P(MethodIterationTest, ACurveCostsNothingWhereNothingIsTold) {
  if (!Iterates(*GetParam())) return;
  constexpr int kMany = 12;
  const auto run = [&](const char* distance, bool hears = true) {
    return TransformsOf({{"iterations", std::to_string(kMany)}, {"objective", distance}}, kMany, hears);
  };
  const int64_t with_all = run("1");
  EXPECT_EQ(Told().size(), static_cast<size_t>(kMany));
  EXPECT_EQ(ops_->measured, kMany);
  const int dots = ops_->dots;
  EXPECT_EQ(run("6"), with_all);
  EXPECT_EQ(Told(), (std::vector<uint32_t>{1, 6, 12}));
  EXPECT_EQ(ops_->measured, 3);
  EXPECT_EQ(ops_->sums, 1);
  EXPECT_LE(ops_->dots, dots);
  for (const bool hears : {true, false}) {
    EXPECT_EQ(run(hears ? "0" : "1", hears), with_all);
    EXPECT_TRUE(told_.empty());
    EXPECT_EQ(ops_->measured + ops_->dots + ops_->sums, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, MethodIterationTest, ::testing::ValuesIn(AllMethods().begin(), AllMethods().end()),
                         MethodTestName);

}  // namespace
}  // namespace deconvoy::worker
