#include "worker/calibration/cross_validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/worker/calibration/scene.h"

namespace deconvoy::worker {
namespace {

using testing::Scene;

std::string Lowest(const v1::Calibration& curve) {
  const auto& all = curve.candidates();
  return std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score() < b.score(); })
      ->value();
}

// Cross validation makes the prediction of voxels best; here the result itself is judged.
void ExpectNearTheBest(const std::string& method, double photons) {
  Scene scene({24, 64, 64}, photons, 21);
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CrossValidate(scene.sample(), *FindMethod(method)));
  ASSERT_EQ(curve.candidates_size(), 37);
  EXPECT_EQ(curve.parameter(), "lambda");
  double best = 0;
  for (const auto& candidate : curve.candidates()) {
    best = std::max(best, scene.Quality(method, {{"lambda", candidate.value()}}));
  }
  EXPECT_GE(scene.Quality(method, {{"lambda", Lowest(curve)}}), 0.9 * best)
      << method << " at " << photons << " photons: " << Lowest(curve);
}

TEST(CrossValidate, TikhonovComesNearTheBestResult) {
  for (const double photons : {5.0, 50.0, 500.0}) ExpectNearTheBest("tikhonov", photons);
}

TEST(CrossValidate, LaplacianComesNearTheBestResult) {
  for (const double photons : {5.0, 50.0, 500.0}) ExpectNearTheBest("laplacian", photons);
}

// The formula by itself: n voxels under a PSF that changes nothing, lambda P the same everywhere, have
// r = lambda / (1 + lambda) and V = mean of (y - b)^2, whatever lambda.
TEST(CrossValidate, IsTheMeanSquareWhereEveryFrequencyIsAlike) {
  Scene scene({6, 8, 10}, 50, 22, /*background=*/3);
  scene.otf = scene.ops->MakeOtf(std::vector<float>{1}, {1, 1, 1}, {}).value();
  scene.problem.otf = scene.otf.get();
  double squares = 0;
  for (const float value : scene.photons) squares += (value - 3.0) * (value - 3.0);
  const double mean = squares / static_cast<double>(scene.photons.size());
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CrossValidate(scene.sample(), *FindMethod("tikhonov")));
  for (const auto& candidate : curve.candidates()) EXPECT_NEAR(candidate.score(), mean, 1e-4 * mean);
}

}  // namespace
}  // namespace deconvoy::worker
