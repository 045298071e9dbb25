#include "worker/learned/patch_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/simulation.h"
#include "tests/support/test_support.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"

namespace deconvoy::worker::learned {
namespace {

constexpr Shape3 kShape{32, 64, 64};

v1::VoxelSize Sizes(double z, double yx) {
  v1::VoxelSize sizes;
  sizes.set_z_um(z);
  sizes.set_y_um(yx);
  sizes.set_x_um(yx);
  return sizes;
}

std::vector<float> Image(uint64_t seed, double fwhm = 3) {
  std::vector<float> image = DrawSpecimen({.shape = kShape, .kind = v1::MIXED, .seed = seed});
  const v1::VoxelSize voxel = Sizes(1, 1), wide = Sizes(1.5 * fwhm, fwhm);
  Blur(MakeGaussianPsf(wide, voxel, GaussianPsfShape(wide, voxel).value()), kShape, false, 1, image);
  const float peak = *std::max_element(image.begin(), image.end());
  for (float& value : image) value *= 300 / peak;
  std::vector<float> exposed(image.size());
  Expose({.background_photons = 10, .type = v1::F32, .seed = seed}, image, 0,
         std::as_writable_bytes(std::span(exposed)));
  return exposed;
}

std::vector<Figures> FiguresOf(const std::vector<float>& image) {
  return FiguresOfPatches(image, kShape, ScaleOf(image, {}));
}

double ShareOfStrange(const std::vector<float>& image, const PatchStatistics& statistics) {
  const std::vector<Figures> patches = FiguresOf(image);
  const auto strange = std::count_if(patches.begin(), patches.end(),
                                     [&](const Figures& patch) { return Strangeness(patch, statistics) > 1; });
  return static_cast<double>(strange) / static_cast<double>(patches.size());
}

TEST(PatchStatistics, KnowWhatIsStrange) {
  std::vector<Figures> training;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const std::vector<Figures> patches = FiguresOf(Image(testing::Seed() + seed));
    EXPECT_EQ(patches.size(), 4U * 4 * 4);
    training.insert(training.end(), patches.begin(), patches.end());
  }
  const PatchStatistics statistics = Summarise(training);
  EXPECT_LT(ShareOfStrange(Image(testing::Seed() + 99), statistics), 0.1);

  Random random(testing::Seed());
  std::vector<float> noise(static_cast<size_t>(kShape.voxels())), lines = noise;
  for (float& value : noise) value = 100 + 10 * static_cast<float>(random.Normal());
  EXPECT_GT(ShareOfStrange(noise, statistics), 0.9);
  for (size_t i = 0; i < lines.size(); ++i) lines[i] = i % 4 < 2 ? 10 : 200;
  EXPECT_GT(ShareOfStrange(lines, statistics), 0.9);
}

TEST(PatchStatistics, AreThoseOfTheirFormulas) {
  // A ramp along x: u = x / 16 in the only patch.
  std::vector<float> ramp;
  for (int64_t i = 0; i < kStatisticsPatch.voxels(); ++i) ramp.push_back(static_cast<float>(i % 16));
  const std::vector<Figures> all = FiguresOfPatches(ramp, kStatisticsPatch, {0, 16});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NEAR(all[0][0], 7.5 / 16, 1e-6);
  EXPECT_NEAR(all[0][1], std::log(std::sqrt(255.0 / 12) / 16 + 1e-3), 1e-6);
  EXPECT_NEAR(all[0][2], 0, 1e-6);
  EXPECT_NEAR(all[0][3], std::log(1e-3), 1e-6);
  EXPECT_NEAR(all[0][5], std::log(1.0 / 16 + 1e-3), 1e-6);
  EXPECT_NEAR(all[0][7], std::log(1e-3), 1e-6);
  EXPECT_TRUE(FiguresOfPatches(ramp, {8, 16, 15}, {0, 16}).empty());
}

}  // namespace
}  // namespace deconvoy::worker::learned
