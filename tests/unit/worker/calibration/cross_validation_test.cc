#include "worker/calibration/cross_validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/worker/calibration/scene.h"
#include "worker/imaging/reflection.h"

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

// As a tile is read with MIRROR: noise comes twice in the margin, and must not count as light.
TEST(CrossValidate, AMirroredMarginDoesNotMisleadIt) {
  const Shape3 frame{32, 96, 96}, domain{40, 100, 100};
  Scene scene(frame, 500, 5, 10, v1::EXTEND);
  const auto ops = scene.backend->Open(domain).value();
  const std::vector<int64_t> z_of = ReflectedAxis(frame.z, domain.z), y_of = ReflectedAxis(frame.y, domain.y),
                             x_of = ReflectedAxis(frame.x, domain.x);
  std::vector<float> mirrored;
  for (const int64_t k : z_of) {
    for (const int64_t j : y_of) {
      for (const int64_t i : x_of)
        mirrored.push_back(scene.photons[static_cast<size_t>((k * frame.y + j) * frame.x + i)]);
    }
  }
  const auto otf = ops->MakeOtf(scene.psf, scene.psf_shape, scene.psf_centre()).value();
  const auto y = ops->Allocate({{}, domain}).value();
  ASSERT_OK(ops->Upload(mirrored, y->box(), *y));
  Problem problem = scene.problem;
  problem.ops = ops.get();
  problem.otf = otf.get();
  problem.measured = y.get();
  problem.boundary = v1::MIRROR;
  for (const char* method : {"tikhonov", "laplacian"}) {
    const Method& known = *FindMethod(method);
    ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CrossValidate({problem, y.get(), frame}, known));
    const auto quality = [&](const std::string& lambda) {
      testing::Silent silent;
      const auto parameters = ResolveParameters(known.description(), {{"lambda", lambda}}).value();
      const auto x = known.Run(problem, parameters, silent).value();
      std::vector<float> values(scene.truth.size());
      EXPECT_OK(ops->Download(*x, {{}, frame}, values));
      return testing::Correlation(values, scene.truth);
    };
    double best = 0;
    for (const auto& candidate : curve.candidates()) best = std::max(best, quality(candidate.value()));
    EXPECT_GE(quality(Lowest(curve)), 0.95 * best) << method << ": " << Lowest(curve);
  }
}

// The formula by itself: under a PSF that changes nothing, lambda P the same everywhere, r = lambda / (1 + lambda) and
// V = (lambda / (lambda - 1))^2 times the same for all lambda above 1, below which the filter fits too much.
TEST(CrossValidate, FollowsItsFormulaWhereEveryFrequencyIsAlike) {
  Scene scene({6, 8, 10}, 50, 22, /*background=*/3);
  scene.otf = scene.ops->MakeOtf(std::vector<float>{1}, {1, 1, 1}, {}).value();
  scene.problem.otf = scene.otf.get();
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CrossValidate(scene.sample(), *FindMethod("tikhonov")));
  const auto constant = [](const v1::CalibrationCandidate& candidate) {
    const double lambda = std::stod(candidate.value());
    return candidate.score() * std::pow((lambda - 1) / lambda, 2);
  };
  const double expected = constant(*curve.candidates().rbegin());
  ASSERT_GT(expected, 0);
  int above = 0;
  for (const auto& candidate : curve.candidates()) {
    if (std::stod(candidate.value()) < 1.5) continue;
    ++above;
    EXPECT_NEAR(constant(candidate), expected, 0.01 * expected) << candidate.value();
  }
  EXPECT_EQ(above, 4);
}

}  // namespace
}  // namespace deconvoy::worker
