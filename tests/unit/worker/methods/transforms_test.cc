// What every method does in an iteration: as many transforms as its description says, with which a job is planned; and
// it tells its objective where asked to.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/method_name.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

constexpr Shape3 kDomain{8, 12, 16};
constexpr int kIterations = 2, kMore = 3;

class Counting final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    ++iterations;
    if (iteration.objective) objectives.push_back(*iteration.objective);
    return absl::OkStatus();
  }
  int64_t iterations = 0;
  std::vector<double> objectives;
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
    std::mt19937_64 random(testing::Seed());
    const reference::Psf psf = reference::RandomPsf(3, 5, 4, random);
    const reference::Volume image = reference::RandomImage(kDomain.z, kDomain.y, kDomain.x, random);
    backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open(kDomain));
    psf_ = {psf.h.values.begin(), psf.h.values.end()};
    centre_ = {psf.cz, psf.cy, psf.cx};
    ASSERT_OK_AND_ASSIGN(otf_, ops_->MakeOtf(psf_, kPsf, centre_));
    ASSERT_OK_AND_ASSIGN(y_, ops_->Allocate({{}, kDomain}));
    ASSERT_OK(ops_->Upload(std::vector<float>(image.values.begin(), image.values.end()), y_->box(), *y_));
  }

  // How many a run with these parameters does.
  int64_t TransformsOf(const std::map<std::string, std::string>& given, int64_t iterations) {
    const Method& method = *GetParam();
    const auto parameters = ResolveParameters(method.description(), given);
    EXPECT_OK(parameters);
    const Problem problem{.ops = ops_.get(),
                          .otf = otf_.get(),
                          .measured = y_.get(),
                          .boundary = v1::PERIODIC,
                          .background = 2,
                          .mean = 40,
                          .variance = 900,
                          .psf = MeasurePsf(psf_, kPsf, centre_)};
    Counting counting;
    const int64_t before = ops_->transforms();
    EXPECT_OK(method.Run(problem, *parameters, counting));
    EXPECT_EQ(counting.iterations, iterations);
    objectives_ = counting.objectives;
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

  static constexpr Shape3 kPsf{3, 5, 4};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Otf> otf_;
  std::unique_ptr<Array> y_;
  std::vector<float> psf_;
  Voxel centre_;
  std::vector<double> objectives_;  // of the last run
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

TEST_P(MethodIterationTest, TheObjectiveIsToldAndFalls) {
  const auto& parameters = GetParam()->description().parameters();
  const bool described = std::any_of(parameters.begin(), parameters.end(),
                                     [](const v1::Parameter& parameter) { return parameter.name() == "objective"; });
  ASSERT_EQ(described, Iterates(*GetParam()));
  if (!described) return;
  constexpr int kMany = 12;
  TransformsOf({{"iterations", std::to_string(kMany)}}, kMany);
  EXPECT_TRUE(objectives_.empty()) << "nobody has asked for it";
  TransformsOf({{"iterations", std::to_string(kMany)}, {"objective", "true"}}, kMany);
  ASSERT_EQ(objectives_.size(), static_cast<size_t>(kMany));
  EXPECT_GT(objectives_.back(), 0);
  EXPECT_LT(objectives_.back(), objectives_.front());
}

INSTANTIATE_TEST_SUITE_P(All, MethodIterationTest, ::testing::ValuesIn(AllMethods().begin(), AllMethods().end()),
                         MethodTestName);

}  // namespace
}  // namespace deconvoy::worker
