#include "worker/calibration/iterations.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/worker/calibration/scene.h"
#include "worker/calibration/strength.h"

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testing::Scene;
using testing::Silent;

TEST(TriedIterations, EachAtFirstThenInSteps) {
  const std::vector<int64_t> tried = TriedIterations(200);
  EXPECT_THAT(std::vector<int64_t>(tried.begin(), tried.begin() + 10),
              ElementsAreArray({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  for (size_t i = 1; i < tried.size(); ++i) {
    EXPECT_GT(tried[i], tried[i - 1]);
    EXPECT_LE(static_cast<double>(tried[i]), 1.2 * static_cast<double>(tried[i - 1]) + 1);
  }
  EXPECT_EQ(tried.back(), 200);
}

absl::StatusOr<v1::Calibration> Calibrated(Scene& scene, const std::string& method) {
  const Method& known = *FindMethod(method);
  Silent silent;
  auto parameters = ResolveParameters(known.description(), {{"iterations", "auto"}});
  if (!parameters.ok()) return parameters.status();
  const auto judge = Judge::Of(scene.sample(), known);
  if (!judge.ok()) return judge.status();
  auto curve = CalibrateIterations(*judge, known, *parameters, silent);
  scene.Reset();
  return curve;
}

std::string Lowest(const v1::Calibration& curve) {
  const auto& all = curve.candidates();
  return std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score() < b.score(); })
      ->value();
}

// What the server chooses of one curve.
std::string Chosen(const v1::Calibration& curve, const std::string& method) {
  const double slack = FindMethod(method)->description().iterations_slack();
  std::string chosen = Lowest(curve);
  double lowest = curve.candidates(0).score();
  for (const auto& candidate : curve.candidates()) lowest = std::min(lowest, candidate.score());
  for (const auto& candidate : curve.candidates()) {
    if (slack > 0 && candidate.score() <= lowest + slack * (curve.candidates(0).score() - lowest)) {
      chosen = candidate.value();
    }
  }
  return chosen;
}

// Keeps the best correlation of the estimates with the truth.
class Best final : public Monitor {
 public:
  explicit Best(const Scene& scene) : scene_(scene) {}
  absl::Status Iterated(const Iteration& iteration) override {
    std::vector<float> x = scene_.Values(iteration.estimate);
    if (clipped_) {
      for (float& value : x) value = std::max(value, 0.0F);
    }
    best_ = std::max(best_, testing::Correlation(x, scene_.truth));
    return absl::OkStatus();
  }

  // Over up to 200 iterations.
  static double Of(const Scene& scene, const std::string& method, std::map<std::string, std::string> given = {}) {
    const Method& known = *FindMethod(method);
    Best best(scene);
    best.clipped_ = method == "admm";  // whose result is, unlike its estimates on the way
    given["iterations"] = "200";
    const auto parameters = ResolveParameters(known.description(), given);
    EXPECT_OK(known.Run(scene.problem, *parameters, best).status());
    return best.best_;
  }

 private:
  const Scene& scene_;
  bool clipped_ = false;
  double best_ = 0;
};

struct Light {
  const char* method;
  double photons;  // of the brightest voxel
  v1::Boundary boundary;
  double of_the_best;
};

class AutomaticIterations : public ::testing::TestWithParam<Light> {};

TEST_P(AutomaticIterations, ComeNearTheBestResult) {
  const Light& light = GetParam();
  Scene scene({24, 80, 80}, light.photons, 5, 2, light.boundary);
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, Calibrated(scene, light.method));
  EXPECT_THAT(curve.criterion(), HasSubstr("held-out photons"));
  const std::string chosen = Chosen(curve, light.method);
  const double found = scene.Quality(light.method, {{"iterations", chosen}});
  const double best = Best::Of(scene, light.method);
  RecordProperty("iterations", chosen);
  RecordProperty("of_the_best", fmt::format("{:.3f}", found / best));
  EXPECT_GE(found, light.of_the_best * best) << chosen << " iterations";
}

// With little light admm's best estimate is not that which predicts best; fista goes on too long.
std::vector<Light> AllLight() {
  std::vector<Light> all;
  for (const auto boundary : {v1::PERIODIC, v1::EXTEND}) {
    for (const double photons : {5, 50, 500}) {
      for (const char* method : {"rl", "rl-tv"}) all.push_back({method, photons, boundary, 0.97});
      all.push_back({"fista", photons, boundary, 0.94});
      if (photons > 5) all.push_back({"admm", photons, boundary, 0.97});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(PhotonNoise, AutomaticIterations, ::testing::ValuesIn(AllLight()), [](const auto& light) {
  std::string name = fmt::format("{}_{}_{}", light.param.method, light.param.photons,
                                 light.param.boundary == v1::EXTEND ? "extend" : "periodic");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// With little light the usual strength of admm is too weak, and no number of iterations mends that.
TEST(CalibrateIterations, FollowsAStrengthThatIsFoundBefore) {
  for (const auto boundary : {v1::PERIODIC, v1::EXTEND}) {
    Scene scene({24, 80, 80}, 5, 5, 2, boundary);
    const Method& admm = *FindMethod("admm");
    const Parameters parameters =
        ResolveParameters(admm.description(), {{"lambda", "auto"}, {"iterations", "auto"}}).value();
    Silent silent;
    ASSERT_OK_AND_ASSIGN(const Judge judge, Judge::Of(scene.sample(), admm));
    ASSERT_OK_AND_ASSIGN(const v1::Calibration scores, CalibrateStrength(judge, admm, parameters, silent));
    ASSERT_OK_AND_ASSIGN(const Parameters chosen, WithStrength(admm, parameters, scores));
    ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CalibrateIterations(judge, admm, chosen, silent));
    scene.Reset();
    const std::string lambda = chosen.texts().at("lambda"), iterations = Chosen(curve, "admm");
    const double found = scene.Quality("admm", {{"lambda", lambda}, {"iterations", iterations}}),
                 best = Best::Of(scene, "admm", {{"lambda", lambda}});
    const std::string name = boundary == v1::EXTEND ? "extend" : "periodic";
    RecordProperty(name, fmt::format("{} of the best, ncc {:.3f} with lambda {}, {} iterations", found / best, found,
                                     lambda, iterations));
    EXPECT_GE(found, 0.95 * best) << iterations << " iterations";
    EXPECT_GE(found, 1.3 * scene.Quality("admm", {})) << "the usual strength";
  }
}

TEST(CalibrateIterations, NoticesNoiseThatIsNotPhotons) {
  Scene scene({24, 80, 80}, 50, 6);
  for (size_t i = 0; i < scene.photons.size(); ++i) {
    Random random = Random::OfVoxel(1, 7, i);
    scene.photons[i] = std::max(scene.photons[i] + static_cast<float>(8 * random.Normal()), 0.0F);
  }
  scene.Reset();
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, Calibrated(scene, "rl"));
  EXPECT_EQ(curve.criterion(), "likelihood of held-out voxels, as the noise is not that of photons");
  EXPECT_GE(scene.Quality("rl", {{"iterations", Lowest(curve)}}), 0.9 * Best::Of(scene, "rl"));
}

TEST(CalibrateIterations, StopsOnceTheCurveHasTurned) {
  Scene scene({16, 64, 64}, 5, 7);
  const Method& rl = *FindMethod("rl");
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(rl.description(), {{"iterations", "auto"}}));
  Silent progress;
  ASSERT_OK_AND_ASSIGN(const Judge judge, Judge::Of(scene.sample(), rl));
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CalibrateIterations(judge, rl, parameters, progress));
  EXPECT_LT(progress.last, 200);
  EXPECT_EQ(curve.candidates(curve.candidates_size() - 1).value(), std::to_string(progress.last));
  EXPECT_GE(progress.last, 2 * std::stoi(Lowest(curve)));
}

// A regularisation holds the estimate where it is.
TEST(CalibrateIterations, StopsOnceTheEstimateHasSettled) {
  Scene scene({24, 80, 80}, 500, 5, 2, v1::EXTEND);
  const Method& admm = *FindMethod("admm");
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(admm.description(), {{"iterations", "auto"}}));
  Silent progress;
  ASSERT_OK_AND_ASSIGN(const Judge judge, Judge::Of(scene.sample(), admm));
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CalibrateIterations(judge, admm, parameters, progress));
  EXPECT_LT(progress.last, 200);
  const auto& scores = curve.candidates();
  const auto lowest = std::min_element(scores.begin(), scores.end(),
                                       [](const auto& a, const auto& b) { return a.score() < b.score(); });
  EXPECT_LT(progress.last, 6 * std::stoi(lowest->value()));
  EXPECT_LT(scores.rbegin()->score() - lowest->score(), 0.05 * (scores.begin()->score() - lowest->score()))
      << "the curve has not turned";
}

class Refusing final : public Monitor {
 public:
  absl::Status Iterated(const Iteration&) override { return absl::CancelledError("stop"); }
};

TEST(CalibrateIterations, EndsWhenItIsTold) {
  Scene scene({8, 32, 32}, 50, 8);
  const Method& rl = *FindMethod("rl");
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(rl.description(), {{"iterations", "auto"}}));
  Refusing refusing;
  ASSERT_OK_AND_ASSIGN(const Judge judge, Judge::Of(scene.sample(), rl));
  EXPECT_TRUE(absl::IsCancelled(CalibrateIterations(judge, rl, parameters, refusing).status()));
}

}  // namespace
}  // namespace deconvoy::worker
