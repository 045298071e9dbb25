#include "worker/calibration/iterations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/worker/calibration/scene.h"

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
  auto curve = CalibrateIterations(scene.sample(), known, *parameters, silent);
  scene.Reset();
  return curve;
}

std::string Lowest(const v1::Calibration& curve) {
  const auto& all = curve.candidates();
  return std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score() < b.score(); })
      ->value();
}

// The best correlation with the truth over a sweep of iterations.
double Best(Scene& scene, const std::string& method) {
  double best = 0;
  for (const char* k : {"2", "3", "5", "7", "10", "14", "20", "28", "40", "56", "80", "113", "160"}) {
    best = std::max(best, scene.Quality(method, {{"iterations", k}}));
  }
  return best;
}

struct Light {
  const char* method;
  double photons;  // of the brightest voxel
};

class AutomaticIterations : public ::testing::TestWithParam<Light> {};

TEST_P(AutomaticIterations, ComeWithinThreePercentOfTheBestResult) {
  Scene scene({24, 80, 80}, GetParam().photons, 5);
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, Calibrated(scene, GetParam().method));
  EXPECT_THAT(curve.criterion(), HasSubstr("held-out photons"));
  const double found = scene.Quality(GetParam().method, {{"iterations", Lowest(curve)}});
  const double best = Best(scene, GetParam().method);
  RecordProperty("iterations", Lowest(curve));
  EXPECT_GE(found, 0.97 * best) << Lowest(curve) << " iterations";
}

INSTANTIATE_TEST_SUITE_P(PhotonNoise, AutomaticIterations,
                         ::testing::Values(Light{"rl", 5}, Light{"rl", 50}, Light{"rl", 500}, Light{"rl-tv", 5},
                                           Light{"rl-tv", 50}, Light{"rl-tv", 500}));

TEST(CalibrateIterations, NoticesNoiseThatIsNotPhotons) {
  Scene scene({24, 80, 80}, 50, 6);
  for (size_t i = 0; i < scene.photons.size(); ++i) {
    Random random = Random::OfVoxel(1, 7, i);
    scene.photons[i] = std::max(scene.photons[i] + static_cast<float>(8 * random.Normal()), 0.0F);
  }
  scene.Reset();
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, Calibrated(scene, "rl"));
  EXPECT_EQ(curve.criterion(), "likelihood of held-out voxels, as the noise is not that of photons");
  EXPECT_GE(scene.Quality("rl", {{"iterations", Lowest(curve)}}), 0.9 * Best(scene, "rl"));
}

TEST(CalibrateIterations, StopsOnceTheCurveHasTurned) {
  Scene scene({16, 64, 64}, 5, 7);
  const Method& rl = *FindMethod("rl");
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(rl.description(), {{"iterations", "auto"}}));
  Silent progress;
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CalibrateIterations(scene.sample(), rl, parameters, progress));
  EXPECT_LT(progress.last, 200);
  EXPECT_EQ(curve.candidates(curve.candidates_size() - 1).value(), std::to_string(progress.last));
  EXPECT_GE(progress.last, 2 * std::stoi(Lowest(curve)));
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
  EXPECT_TRUE(absl::IsCancelled(CalibrateIterations(scene.sample(), rl, parameters, refusing).status()));
}

}  // namespace
}  // namespace deconvoy::worker
