#include "worker/calibration/signal_to_noise.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/worker/calibration/scene.h"

namespace deconvoy::worker {
namespace {

using testing::Scene;

TEST(SignalToNoise, OfWhiteSignalAndNoiseIsTheirRatioWhereTheMicroscopePasses) {
  Scene scene({64, 96, 96}, 1, 31, /*background=*/0);
  // An object of independent voxels with variance 900 on a mean of 1000, blurred, under noise of variance 4.
  std::vector<float> object(scene.photons.size());
  for (size_t i = 0; i < object.size(); ++i) {
    Random random = Random::OfVoxel(4, 7, i);
    object[i] = 1000 + 30 * static_cast<float>(random.Normal());
  }
  ASSERT_OK(scene.ops->Upload(object, scene.y->box(), *scene.y));
  const auto blurred = scene.ops->Allocate(scene.y->box()).value();
  ASSERT_OK(scene.ops->Convolve({scene.otf.get(), false, Identity{scene.y.get()}, Store{blurred.get()}}));
  scene.photons = scene.Values(*blurred);
  for (size_t i = 0; i < object.size(); ++i) {
    Random random = Random::OfVoxel(5, 7, i);
    scene.photons[i] += 2 * static_cast<float>(random.Normal());
  }
  scene.Reset();
  ASSERT_OK_AND_ASSIGN(const v1::Calibration found, MeasureSignalToNoise(scene.sample()));
  ASSERT_EQ(found.signal_to_noise_size(), 32);
  EXPECT_EQ(found.parameter(), "nsr");
  EXPECT_EQ(found.criterion(), "spectrum of the data, noise from beyond the cutoff");
  for (int shell = 2; shell <= 6; ++shell) EXPECT_NEAR(found.signal_to_noise(shell), 225, 90) << shell;
  EXPECT_EQ(found.signal_to_noise(31), 0);
}

// Better than the noise of photons over one signal for all frequencies, which is what the default assumes. Where there
// is hardly any signal to measure, hardly worse.
TEST(SignalToNoise, MakesABetterFilterThanMeanAndVariance) {
  for (const auto& [photons, least] : {std::pair(5.0, 0.95), std::pair(50.0, 1.0), std::pair(500.0, 1.0)}) {
    Scene scene({24, 80, 80}, photons, 32);
    const double plain = scene.Quality("wiener", {});
    ASSERT_OK_AND_ASSIGN(const v1::Calibration found, MeasureSignalToNoise(scene.sample()));
    scene.problem.signal_to_noise = {found.signal_to_noise().data(), static_cast<size_t>(32)};
    EXPECT_GT(scene.Quality("wiener", {{"nsr", "auto"}}), least * plain) << photons;
  }
}

}  // namespace
}  // namespace deconvoy::worker
