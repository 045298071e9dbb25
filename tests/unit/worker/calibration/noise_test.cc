#include "worker/calibration/noise.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/calibration/scene.h"

namespace deconvoy::worker {
namespace {

using testing::Scene;

std::optional<double> RatioOf(Scene& scene, const Array* mask = nullptr) {
  const auto ratio = VarianceOverMean(*scene.ops, *scene.otf, *scene.y, mask, scene.y->box());
  EXPECT_OK(ratio.status());
  return ratio.value_or(std::nullopt);
}

TEST(VarianceOverMean, OfPhotonsIsOne) {
  for (const double peak : {5.0, 50.0, 500.0}) {
    Scene scene({24, 80, 80}, peak, 11);
    const std::optional<double> ratio = RatioOf(scene);
    ASSERT_TRUE(ratio.has_value());
    EXPECT_NEAR(*ratio, 1, 0.08) << peak;
    EXPECT_TRUE(IsPoisson(ratio));
  }
}

// Planes between are copies of those before, as LoadMeasured has them.
TEST(VarianceOverMean, OfPlanesWithOthersBetweenIsThatOfThePlanes) {
  for (const size_t upsample : {2, 3, 4}) {
    Scene scene({24, 80, 80}, 50, 11);
    const size_t plane = 80 * 80;
    std::vector<float> m(scene.photons.size());
    for (size_t i = 0; i < m.size(); ++i) {
      const size_t from = i / plane / upsample * upsample;
      m[i] = from == i / plane ? 1 : 0;
      scene.photons[i] = scene.photons[from * plane + i % plane];
    }
    scene.Reset();
    const auto mask = scene.ops->Allocate(scene.y->box()).value();
    EXPECT_OK(scene.ops->Upload(m, mask->box(), *mask));
    const std::optional<double> ratio = RatioOf(scene, mask.get());
    ASSERT_TRUE(ratio.has_value());
    EXPECT_NEAR(*ratio, 1, 0.1) << upsample;
    EXPECT_TRUE(IsPoisson(ratio));
  }
}

TEST(VarianceOverMean, OfVoxelsThatCountIsTheirs) {
  Scene scene({24, 80, 80}, 50, 11);
  std::vector<float> m(scene.photons.size(), 0.5F);
  for (size_t i = 0; i < m.size(); ++i) {
    if (i % 80 < 40) continue;
    m[i] = 0;
    scene.photons[i] = 20;
  }
  scene.Reset();
  const auto mask = scene.ops->Allocate(scene.y->box()).value();
  EXPECT_OK(scene.ops->Upload(m, mask->box(), *mask));
  const std::optional<double> ratio = RatioOf(scene, mask.get());
  ASSERT_TRUE(ratio.has_value());
  EXPECT_NEAR(*ratio, 1, 0.15);
  EXPECT_OK(scene.ops->Fill(*mask, 0));
  EXPECT_FALSE(RatioOf(scene, mask.get()).has_value());
}

TEST(VarianceOverMean, OfCountsThatAreNoPhotonsIsTheirGain) {
  Scene scene({24, 80, 80}, 50, 12);
  for (float& value : scene.photons) value *= 3;
  scene.Reset();
  const std::optional<double> ratio = RatioOf(scene);
  ASSERT_TRUE(ratio.has_value());
  EXPECT_NEAR(*ratio, 3, 0.25);
  EXPECT_FALSE(IsPoisson(ratio));
}

TEST(VarianceOverMean, SeesACamerasNoise) {
  Scene scene({24, 80, 80}, 50, 13);
  double mean = 0;
  for (size_t i = 0; i < scene.photons.size(); ++i) {
    Random random = Random::OfVoxel(2, 7, i);
    scene.photons[i] += 100 + static_cast<float>(20 * random.Normal());
    mean += scene.photons[i];
  }
  mean /= static_cast<double>(scene.photons.size());
  scene.Reset();
  const std::optional<double> ratio = RatioOf(scene);
  ASSERT_TRUE(ratio.has_value());
  EXPECT_NEAR(*ratio, (mean - 100 + 400) / mean, 0.3);
  EXPECT_FALSE(IsPoisson(ratio));
}

TEST(VarianceOverMean, IsNotKnownWhereTheMicroscopePassesEverything) {
  Scene scene({8, 32, 32}, 50, 14);
  scene.otf = scene.ops->MakeOtf(std::vector<float>{1}, {1, 1, 1}, {}).value();
  EXPECT_FALSE(RatioOf(scene).has_value());
  EXPECT_FALSE(IsPoisson(std::nullopt));
}

TEST(VarianceOverMean, IsNotKnownInTheDark) {
  Scene scene({8, 32, 32}, 50, 15);
  std::fill(scene.photons.begin(), scene.photons.end(), 0.0F);
  scene.Reset();
  EXPECT_FALSE(RatioOf(scene).has_value());
}

}  // namespace
}  // namespace deconvoy::worker
