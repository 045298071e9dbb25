// The worker's estimation of a PSF, and what it makes of the image with it, against the same formulas in double
// precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/status_macros.h"
#include "tests/reference/blind.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

constexpr double kBackground = 2.5;
constexpr int kRoundsDone = 3, kStepsInX = 3, kStepsInPsf = 2, kIterationsAfter = 5;

struct Scene {
  Shape3 domain;
  Volume y, m;
  bool masked;
  Psf guess;
  double mean;
};

double SumOf(const Volume& volume) {
  return std::accumulate(volume.values.begin(), volume.values.end(), 0.0);
}

// Voxels of the guess are 0, off the support: none of them its centre, in any of the sizes.
Scene RandomScene(const Size& size, bool masked, std::mt19937_64& random) {
  const Shape3 &n = size.image, &h = size.psf;
  Scene scene{.domain = ExtendedDomain(size),
              .y = InSinglePrecision(RandomImage(n.z, n.y, n.x, random)),
              .m = Volume(n.z, n.y, n.x, 1),
              .masked = masked,
              .guess = RandomPsf(h.z, h.y, h.x, random),
              .mean = 0};
  for (double& value : scene.m.values) value = masked && random() % 5 == 0 ? 0 : 1;
  Volume& guess = scene.guess.h;
  for (size_t i = 3; i < guess.values.size(); i += 7) guess.values[i] = 0;
  const double sum = SumOf(guess);
  for (double& value : guess.values) value /= sum;
  guess = InSinglePrecision(guess);
  scene.mean = static_cast<float>(MeanOf(scene.y));
  return scene;
}

struct Found {
  BlindResult blind;
  Volume x;  // with the PSF that was found
};

Found Formula(const Scene& scene, BlindOptions options, double rounding) {
  const Shape3& d = scene.domain;
  const Volume y = Padded(scene.y, d.z, d.y, d.x), m = Padded(scene.m, d.z, d.y, d.x);
  options.background = kBackground;
  options.mean = scene.mean;
  options.rounding = rounding;
  Found found{BlindRichardsonLucy(y, m, scene.guess, options), {}};
  const Volume x = RichardsonLucy(y, m, found.blind.psf, Volume(d.z, d.y, d.x, scene.mean),
                                  {.iterations = kIterationsAfter,
                                   .acceleration = Acceleration::kHeavyBall,
                                   .background = kBackground,
                                   .mean = scene.mean,
                                   .rounding = rounding});
  found.x = Cropped(x, scene.y.nz, scene.y.ny, scene.y.nx);
  return found;
}

absl::StatusOr<Found> FromWorker(const Scene& scene, const std::string& symmetry, double support) {
  Objectives objectives;
  EngineRun run{.y = scene.y,
                .domain = scene.domain,
                .origin = {},
                .psf = scene.guess,
                .parameters = {{"rounds", std::to_string(kRoundsDone)},
                               {"image_steps", std::to_string(kStepsInX)},
                               {"psf_steps", std::to_string(kStepsInPsf)},
                               {"iterations", std::to_string(kIterationsAfter)},
                               {"symmetry", symmetry},
                               {"support", fmt::to_string(support)}},
                .boundary = v1::EXTEND,
                .background = kBackground,
                .mean = scene.mean,
                .mask = scene.masked ? &scene.m : nullptr,
                .monitor = &objectives};
  ASSIGN_OR_RETURN(run.psf, EstimatePsf("blind-rl", run));
  Found found{{run.psf, objectives.values}, {}};
  ASSIGN_OR_RETURN(found.x, RunMethod("blind-rl", run));
  return found;
}

class BlindReferenceTest : public ::testing::TestWithParam<Size> {};

TEST_P(BlindReferenceTest, TheWorkerDoesWhatTheFormulasSay) {
  const struct {
    const char* symmetry;
    BlindOptions options;
    bool masked;
  } cases[] = {{"none", {}, false},
               {"none", {}, true},
               {"axial", {.axial = true}, true},
               {"lateral", {.lateral = true}, false},
               {"both", {.axial = true, .lateral = true}, true}};
  std::mt19937_64 random(testing::Seed());
  double largest_change = 0;
  for (auto [symmetry, options, masked] : cases) {
    SCOPED_TRACE(fmt::format("symmetry {}, masked {}", symmetry, masked));
    const Scene scene = RandomScene(GetParam(), masked, random);
    // Takes away a tenth of a PSF whose voxels are alike but for its centre.
    if (!options.axial && !options.lateral) options.support = 0.5 / static_cast<double>(scene.guess.h.size());
    options.rounds = 0;
    const Volume start = BlindRichardsonLucy(scene.y, scene.m, scene.guess, options).psf.h;
    options.rounds = kRoundsDone;
    options.image_steps = kStepsInX;
    options.psf_steps = kStepsInPsf;
    const Found expected = Formula(scene, options, 0), rounded = Formula(scene, options, kRoundingErrors);
    ASSERT_OK_AND_ASSIGN(const Found found, FromWorker(scene, symmetry, options.support));

    const Volume &h = found.blind.psf.h, &expected_h = expected.blind.psf.h;
    EXPECT_LE(RelativeError(h, expected_h), ToleranceOf(RelativeError(rounded.blind.psf.h, expected_h)));
    EXPECT_LE(RelativeError(found.x, expected.x), ToleranceOf(RelativeError(rounded.x, expected.x)));
    largest_change = std::max(largest_change, RelativeError(expected_h, start));
    // Where x nearly explains the image, the terms cancel but for their rounding.
    const std::vector<double>&objectives = found.blind.objective, &expected_objectives = expected.blind.objective;
    ASSERT_EQ(objectives.size(), expected_objectives.size());
    for (size_t i = 0; i < objectives.size(); ++i) {
      EXPECT_NEAR(objectives[i], expected_objectives[i], 1e-4 * expected_objectives[i] + 1e-6 * SumOf(scene.y)) << i;
    }
  }
  EXPECT_GT(largest_change, 1e-3) << "the guess has not changed";
}

INSTANTIATE_TEST_SUITE_P(Sizes, BlindReferenceTest, ::testing::ValuesIn(kSizes),
                         [](const auto& size) { return NameOf(size.param); });

}  // namespace
}  // namespace deconvoy::reference
