#include "worker/imaging/residual.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kRows = 64, kColumns = 60;

std::vector<float> Model(float level) {
  return std::vector<float>(static_cast<size_t>(kRows * kColumns), level);
}

std::vector<float> Photons(const std::vector<float>& model, uint64_t seed) {
  std::vector<float> y(model.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(Random::OfVoxel(seed, 1, i).Poisson(model[i]));
  return y;
}

ResidualSums Sums(const std::vector<float>& y, const std::vector<float>& model, const ResidualScale& scale) {
  std::vector<float> r(y.size());
  ResidualSums sums;
  AddResidual(scale, {y, model}, kColumns, r, sums);
  return sums;
}

// Adds light of `peak` about the middle of the block of 8 x 8 voxels at `row`, `column`.
void AddSpot(int64_t row, int64_t column, float peak, std::vector<float>& plane) {
  for (int64_t y = 0; y < 8; ++y) {
    for (int64_t x = 0; x < 8; ++x) {
      const double dy = static_cast<double>(y) - 3.5, dx = static_cast<double>(x) - 3.5;
      plane[static_cast<size_t>((row + y) * kColumns + column + x)] +=
          peak * static_cast<float>(std::exp(-(dy * dy + dx * dx) / 4));
    }
  }
}

TEST(Residual, IsTheFormulaAtEveryVoxel) {
  const std::vector<float> y{9, 4, 0, 1}, model{4, 4, 0.5F, 0};
  std::vector<float> r(4);
  ResidualSums sums;
  AddResidual({.floor = 0.25}, {y, model}, 2, r, sums);
  const std::vector<float> expected{2.5F, 0, -0.5F / std::sqrt(0.5F), 2};
  double sum = 0, squares = 0;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_FLOAT_EQ(r[i], expected[i]) << i;
    sum += expected[i];
    squares += expected[i] * expected[i];
  }
  EXPECT_EQ(sums.voxels, 4U);
  EXPECT_EQ(sums.x.count, 2U) << "the end of a row and the beginning of the next are no neighbours";
  EXPECT_EQ(sums.y.count, 2U);
  EXPECT_EQ(sums.z.count, 0U) << "one plane";
  EXPECT_NEAR(sums.sum, sum, 1e-6);
  EXPECT_NEAR(sums.squares, squares, 1e-6);
  EXPECT_NEAR(sums.x.products, expected[0] * expected[1] + expected[2] * expected[3], 1e-6);
  EXPECT_NEAR(sums.y.products, expected[0] * expected[2] + expected[1] * expected[3], 1e-6);
}

TEST(Residual, PhotonsOfTheModelLeaveWhiteNoiseOfVarianceOne) {
  for (const float level : {2.0F, 50.0F}) {
    const std::vector<float> model = Model(level);
    const ResidualSums sums =
        Sums(Photons(model, 3), model, {.floor = ResidualFloor(level), .background = 0, .brightest = 100});
    const auto n = static_cast<double>(sums.voxels);
    EXPECT_NEAR(sums.sum / n, 0, 0.07) << level;
    EXPECT_NEAR(sums.squares / n, 1, 0.1) << level;
    EXPECT_NEAR(sums.x.products / static_cast<double>(sums.x.count), 0, 0.07) << level;
    EXPECT_NEAR(sums.y.products / static_cast<double>(sums.y.count), 0, 0.07) << level;
  }
}

TEST(Residual, SumsOfPlanesAddUp) {
  const std::vector<float> model = Model(20), y = Photons(model, 5), z = Photons(model, 6);
  const ResidualScale scale{.floor = 1, .background = 20, .brightest = 2000};
  const ResidualSums a = Sums(y, model, scale), b = Sums(z, model, scale);
  std::vector<float> r(y.size());
  ResidualSums both;
  AddResidual(scale, {y, model}, kColumns, r, both);
  AddResidual(scale, {z, model}, kColumns, r, both);
  EXPECT_EQ(both.voxels, a.voxels + b.voxels);
  EXPECT_DOUBLE_EQ(both.squares, a.squares + b.squares);
  EXPECT_EQ(both.faint_voxels, a.faint_voxels + b.faint_voxels);
}

TEST(Residual, FaintStructuresAreFoundAndTheirLightFollowsTheModel) {
  std::vector<float> model = Model(20);
  for (const int64_t row : {8, 24, 40}) AddSpot(row, 16, 40, model);
  const ResidualScale scale{.floor = 1, .background = 20, .brightest = 2000};
  const std::vector<float> y = Photons(model, 7);
  const ResidualSums kept = Sums(y, model, scale);
  EXPECT_EQ(kept.faint_voxels, 3U * 64);
  EXPECT_NEAR(kept.faint_model / kept.faint_light, 1, 0.2);
  const ResidualSums lost = Sums(y, Model(20), scale);
  EXPECT_EQ(lost.faint_voxels, kept.faint_voxels);
  EXPECT_EQ(lost.faint_light, kept.faint_light);
  EXPECT_EQ(lost.faint_model, 0);
}

TEST(Residual, BlocksThatWereNotMeasuredAreNotFaint) {
  std::vector<float> model = Model(20), m = Model(1), r(model.size());
  for (const int64_t row : {8, 24, 40}) AddSpot(row, 16, 40, model);
  const ResidualScale scale{.floor = 1, .background = 20, .brightest = 2000};
  m[8 * kColumns + 16] = m[31 * kColumns + 23] = 0;  // corners of two of the blocks
  m[32 * kColumns + 16] = 0;                         // beside one
  m[40 * kColumns + 16] = 0.5F;                      // measured in less light
  ResidualSums sums;
  AddResidual(scale, {model, model, m}, kColumns, r, sums);
  EXPECT_EQ(sums.faint_voxels, 64U);
  EXPECT_EQ(sums.voxels, r.size());
}

TEST(Residual, NoiseAndBrightStructuresAreNotFaint) {
  const ResidualScale scale{.floor = 1, .background = 20, .brightest = 2000};
  EXPECT_EQ(Sums(Photons(Model(20), 8), Model(20), scale).faint_voxels, 0U);
  std::vector<float> bright = Model(20);
  AddSpot(8, 16, 2000, bright);
  EXPECT_EQ(Sums(bright, bright, scale).faint_voxels, 0U);
}

TEST(Residual, AFrameWithoutLightHasAFloor) {
  EXPECT_GT(ResidualFloor(0), 0);
  std::vector<float> r(1);
  ResidualSums sums;
  AddResidual({.floor = ResidualFloor(0)}, {std::vector<float>{0}, std::vector<float>{0}}, 1, r, sums);
  EXPECT_EQ(r[0], 0);
  EXPECT_EQ(sums.x.count, 0U);
}

}  // namespace
}  // namespace deconvoy::worker
