#include "worker/calibration/held_out.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/worker/calibration/scene.h"

namespace deconvoy::worker {
namespace {

using testing::Scene;

TEST(HoldOutPhotons, EachPhotonIsKeptOrHeldOut) {
  Scene scene({8, 32, 32}, 700, 1);
  ASSERT_OK_AND_ASSIGN(const HeldOut held_out, HoldOutPhotons(scene.problem, scene.shape, *scene.y));
  const std::vector<float> kept = scene.Values(*scene.y), rest = scene.Values(*held_out.photons);
  double sum = 0, total = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    ASSERT_NEAR(kept[i] + rest[i] * held_out.scale, scene.photons[i], 1e-3) << i;
    ASSERT_EQ(kept[i], std::round(kept[i]));
    sum += kept[i];
    total += scene.photons[i];
  }
  EXPECT_NEAR(sum / total, kKeptShare, 0.005);
  EXPECT_NEAR(held_out.problem.mean, kKeptShare * scene.problem.mean, 1e-3 * scene.problem.mean);
  EXPECT_FLOAT_EQ(held_out.problem.background, static_cast<float>(kKeptShare) * scene.problem.background);
}

// Of Poisson counts, kept and held-out photons do not depend on one another.
TEST(HoldOutPhotons, NoiseOfTheTwoIsIndependent) {
  Scene scene({16, 64, 64}, 1, 2, /*background=*/20);
  for (size_t i = 0; i < scene.photons.size(); ++i) {
    Random random = Random::OfVoxel(3, 9, i);
    scene.photons[i] = static_cast<float>(random.Poisson(i % 2 == 0 ? 20 : 400));
  }
  scene.Reset();
  ASSERT_OK_AND_ASSIGN(const HeldOut held_out, HoldOutPhotons(scene.problem, scene.shape, *scene.y));
  const std::vector<float> kept = scene.Values(*scene.y), rest = scene.Values(*held_out.photons);
  for (const size_t parity : {size_t{0}, size_t{1}}) {
    const double mean = parity == 0 ? 20 : 400;
    double product = 0, kept_squares = 0;
    for (size_t i = parity; i < kept.size(); i += 2) {
      const double a = kept[i] - kKeptShare * mean, b = rest[i] * held_out.scale - (1 - kKeptShare) * mean;
      product += a * b;
      kept_squares += a * a;
    }
    const double n = static_cast<double>(kept.size()) / 2;
    // Five standard deviations of a correlation of nothing.
    EXPECT_LT(std::abs(product / n), 5 * mean * std::sqrt(kKeptShare * (1 - kKeptShare) / n)) << mean;
    EXPECT_NEAR(kept_squares / n / (kKeptShare * mean), 1, 0.05) << mean;
  }
}

TEST(HoldOutPhotons, TilesAgreeWhereTheyOverlap) {
  Scene scene({8, 32, 32}, 50, 3);
  std::vector<float> moved = scene.photons;
  std::rotate(moved.begin(), moved.begin() + 3 * 32 * 32, moved.end());
  ASSERT_OK(HoldOutPhotons(scene.problem, scene.shape, *scene.y).status());
  const std::vector<float> here = scene.Values(*scene.y);
  scene.photons = moved;
  scene.Reset();
  scene.problem.frame_origin = {3, 0, 0};
  ASSERT_OK(HoldOutPhotons(scene.problem, scene.shape, *scene.y).status());
  const std::vector<float> there = scene.Values(*scene.y);
  for (size_t i = 0; i < 5 * 32 * 32; ++i) ASSERT_EQ(there[i], here[i + 3 * 32 * 32]) << i;
}

TEST(HoldOutVoxels, ASixteenthAndNoneThatIsMasked) {
  Scene scene({8, 64, 64}, 50, 4);
  const auto mask = scene.ops->Allocate(scene.y->box()).value();
  std::vector<float> values(scene.photons.size(), 1.0F);
  for (size_t i = 0; i < values.size(); i += 7) values[i] = 0;
  ASSERT_OK(scene.ops->Upload(values, mask->box(), *mask));
  scene.problem.mask = mask.get();
  ASSERT_OK_AND_ASSIGN(const HeldOut held_out, HoldOutVoxels(scene.problem, scene.shape));
  const std::vector<float> kept = scene.Values(*held_out.problem.mask), judged = scene.Values(*held_out.judged);
  double count = 0, counted = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    ASSERT_EQ(kept[i] + judged[i], values[i]) << i;
    count += judged[i];
    counted += values[i];
  }
  EXPECT_NEAR(count / counted, 1.0 / 16, 0.005);
}

TEST(HoldOutVoxels, AMirroredMarginIsSplitAsWhatItMirrors) {
  Scene scene({8, 32, 32}, 50, 5);
  ASSERT_OK_AND_ASSIGN(const HeldOut held_out, HoldOutVoxels(scene.problem, {8, 32, 20}));
  const std::vector<float> judged = scene.Values(*held_out.judged);
  // Voxel 20 mirrors voxel 19, voxel 31 mirrors voxel 0.
  for (size_t row = 0; row < 8 * 32; ++row) {
    ASSERT_EQ(judged[row * 32 + 20], judged[row * 32 + 19]);
    ASSERT_EQ(judged[row * 32 + 31], judged[row * 32]);
  }
}

}  // namespace
}  // namespace deconvoy::worker
