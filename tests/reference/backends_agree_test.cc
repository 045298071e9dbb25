// The engine's backend against the processors: what both make of the same image, with every method.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::reference {
namespace {

bool Has(const v1::Method& method, const std::string& parameter) {
  for (const v1::Parameter& known : method.parameters()) {
    if (known.name() == parameter) return true;
  }
  return false;
}

// Methods that compute one image with one given PSF; without the one that enlarges rounding beyond all bounds.
std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const worker::Method* method : worker::AllMethods()) {
    const v1::Method& description = method->description();
    const bool plain = !description.joins_channels() && !description.estimates_psf() && !description.needs_models();
    if (plain && description.name() != "naive-inverse") names.push_back(description.name());
  }
  return names;
}

// rl-gc decides by a sign, voxel by voxel, whether to go on; where rounding turns one, the voxel goes another way.
double MostDifference(const std::string& method) {
  return method == "rl-gc" ? 5e-3 : kTolerance;
}

class BackendsAgreeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BackendsAgreeTest, AfterTwentyIterations) {
  std::mt19937_64 random(testing::Seed());
  const v1::Method& method = worker::FindMethod(GetParam())->description();
  const Psf psf = RandomPsf(3, 5, 4, random);
  const Volume image = InSinglePrecision(Convolve(RandomImage(10, 18, 20, random), psf));
  EngineRun run{.y = image,
                .domain = {10, 18, 20},
                .origin = {},
                .psf = psf,
                .parameters = {},
                .boundary = v1::PERIODIC,
                .background = 1,
                .variance = VarianceOf(image)};
  if (Has(method, "iterations")) run.parameters["iterations"] = "20";
  ASSERT_OK_AND_ASSIGN(const Volume found, RunMethod(GetParam(), run));
  const auto processors = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  run.backend = processors.get();
  ASSERT_OK_AND_ASSIGN(const Volume expected, RunMethod(GetParam(), run));
  EXPECT_LE(RelativeError(found, expected), MostDifference(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Methods, BackendsAgreeTest, ::testing::ValuesIn(Names()), [](const auto& test) {
  std::string name = test.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

// Three views, which see the same specimen.
TEST(BackendsAgreeOnViewsTest, AfterTwentyIterations) {
  std::mt19937_64 random(testing::Seed());
  const Volume specimen = RandomImage(10, 18, 20, random);
  const auto seen = [&](const Psf& psf) { return InSinglePrecision(Convolve(specimen, psf)); };
  const Psf psf = RandomPsf(3, 5, 4, random);
  EngineRun run{.y = seen(psf),
                .domain = {10, 18, 20},
                .origin = {},
                .psf = psf,
                .parameters = {{"iterations", "20"}},
                .boundary = v1::PERIODIC,
                .background = 1,
                .mean = MeanOf(specimen)};
  for (const Shape3& extents : {Shape3{5, 3, 4}, Shape3{2, 4, 6}}) {
    const Psf other = RandomPsf(extents.z, extents.y, extents.x, random);
    run.other_views.push_back({.y = seen(other), .psf = other, .background = 2});
  }
  const auto processors = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  for (const char* const update : {"additive", "ordered-subset"}) {
    SCOPED_TRACE(update);
    run.parameters["update"] = update;
    run.backend = nullptr;
    ASSERT_OK_AND_ASSIGN(const Volume found, RunMethod("rl-multiview", run));
    run.backend = processors.get();
    ASSERT_OK_AND_ASSIGN(const Volume expected, RunMethod("rl-multiview", run));
    EXPECT_LE(RelativeError(found, expected), kTolerance);
  }
}

// The PSF that is estimated from one that is too wide, and the image with it.
TEST(BackendsAgreeOnPsfsTest, AfterRoundsAndTwentyIterations) {
  std::mt19937_64 random(testing::Seed());
  const Psf guess = RandomPsf(3, 5, 4, random);
  Psf psf = guess;
  psf.h.at(psf.cz, psf.cy, psf.cx) += 0.5;  // the guess is wider
  for (double& value : psf.h.values) value /= 1.5;
  EngineRun run{.y = InSinglePrecision(Convolve(RandomImage(10, 18, 20, random), psf)),
                .domain = {12, 22, 24},
                .origin = {},
                .psf = guess,
                .parameters = {{"rounds", "3"}, {"image_steps", "3"}, {"psf_steps", "2"}, {"iterations", "20"}},
                .boundary = v1::EXTEND,
                .background = 1};
  const auto processors = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  ASSERT_OK_AND_ASSIGN(const Psf found, EstimatePsf("blind-rl", run));
  run.backend = processors.get();
  ASSERT_OK_AND_ASSIGN(const Psf expected, EstimatePsf("blind-rl", run));
  EXPECT_LE(RelativeError(found.h, expected.h), kTolerance);
  EXPECT_GT(RelativeError(expected.h, guess.h), 1e-3) << "the guess has not changed";

  run.psf = expected;
  ASSERT_OK_AND_ASSIGN(const Volume image, RunMethod("blind-rl", run));
  run.backend = nullptr;
  ASSERT_OK_AND_ASSIGN(const Volume on_device, RunMethod("blind-rl", run));
  EXPECT_LE(RelativeError(on_device, image), kTolerance);
}

}  // namespace
}  // namespace deconvoy::reference
