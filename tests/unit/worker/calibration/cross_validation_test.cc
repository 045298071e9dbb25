#include "worker/calibration/cross_validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/worker/calibration/scene.h"
#include "worker/calibration/spectrum.h"
#include "worker/imaging/reflection.h"

namespace deconvoy::worker {
namespace {

using testing::Scene;

std::string Lowest(const v1::Calibration& curve) {
  const auto& all = curve.candidates();
  return std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score() < b.score(); })
      ->value();
}

// Scores tell how well voxels are predicted; here the result itself is judged.
void ExpectNearTheBest(const std::string& method, double photons, uint64_t seed = 21) {
  Scene scene({24, 64, 64}, photons, seed);
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
  for (const double photons : {5.0, 50.0, 500.0}) {
    for (const uint64_t seed : {21, 5, 6}) ExpectNearTheBest("tikhonov", photons, seed);
  }
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

// The formula by itself: under a PSF that changes nothing r = lambda / (1 + lambda) everywhere, and U = A r^2 + B (1 -
// r) with B eight times the power of photons.
TEST(CrossValidate, FollowsItsFormulaWhereEveryFrequencyIsAlike) {
  Scene scene({6, 8, 10}, 50, 22, /*background=*/3);
  scene.otf = scene.ops->MakeOtf(std::vector<float>{1}, {1, 1, 1}, {}).value();
  scene.problem.otf = scene.otf.get();
  ASSERT_OK_AND_ASSIGN(const v1::Calibration curve, CrossValidate(scene.sample(), *FindMethod("tikhonov")));
  ASSERT_OK_AND_ASSIGN(const WindowedSpectrum spectrum,
                       SpectrumUnderWindow(*scene.ops, *scene.y, nullptr, {{}, scene.shape}));
  const auto share = [](const v1::CalibrationCandidate& candidate) {
    const double lambda = std::stod(candidate.value());
    return lambda / (1 + lambda);
  };
  const double noise = 8 * spectrum.photon_power;
  const auto& last = *curve.candidates().rbegin();
  const double light = (last.score() - noise * (1 - share(last))) / (share(last) * share(last));
  EXPECT_GT(light, noise / 8) << "there is a specimen";
  for (const auto& candidate : curve.candidates()) {
    const double r = share(candidate), expected = light * r * r + noise * (1 - r);
    EXPECT_NEAR(candidate.score(), expected, 0.01 * expected) << candidate.value();
  }
}

}  // namespace
}  // namespace deconvoy::worker
