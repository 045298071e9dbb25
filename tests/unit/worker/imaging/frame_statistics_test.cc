#include "worker/imaging/frame_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

FrameFacts Measure(const Shape3& shape, const std::vector<float>& photons, const CountScale& scale = {}) {
  FrameStatistics statistics(shape, scale);
  const auto plane = static_cast<size_t>(shape.y * shape.x);
  for (size_t z = 0; z < static_cast<size_t>(shape.z); ++z) {
    statistics.AddPlane(std::span(photons).subspan(z * plane, plane));
  }
  return statistics.Finish();
}

TEST(FrameStatistics, FindsExtremesAndMean) {
  const FrameFacts facts = Measure({2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -6});
  EXPECT_EQ(facts.minimum, -6);
  EXPECT_EQ(facts.maximum, 11);
  EXPECT_EQ(facts.negative, 1);
  EXPECT_DOUBLE_EQ(facts.mean, 66.0 / 12);  // the negative one counts as zero
}

TEST(FrameStatistics, CountsTheVoxelsThatHaveTheMaximum) {
  EXPECT_EQ(Measure({2, 2, 3}, {1, 2, 3, 9, 5, 6, 7, 9, 9, -1, 4, 8}).at_maximum, 3);
  EXPECT_EQ(Measure({2, 2, 3}, {1, 2, 3, 9, 9, 6, 7, 8, 10, -1, 4, 8}).at_maximum, 1);
  EXPECT_EQ(Measure({2, 2, 3}, {1, 2, 3, 9, NAN, 6, 9, 8, 9, -1, 4, 8}).at_maximum, 3);
}

TEST(FrameStatistics, MeanIsThatOfWhatMethodsSee) {
  EXPECT_DOUBLE_EQ(Measure({1, 1, 2}, {-10, 6}, {.read_noise = 3}).mean, 15.0 / 2);
}

TEST(FrameStatistics, VarianceIsThatOfWhatMethodsSee) {
  EXPECT_DOUBLE_EQ(Measure({1, 2, 2}, {1, 2, 3, 6}).variance, 3.5);
  EXPECT_DOUBLE_EQ(Measure({1, 1, 2}, {-10, 6}, {.read_noise = 3}).variance, 56.25);  // of 0 and 15
  EXPECT_EQ(Measure({1, 1, 3}, {7, 7, 7}).variance, 0);
}

TEST(FrameStatistics, LeavesOutWhatDoesNotCount) {
  FrameStatistics statistics({1, 2, 3}, {});
  statistics.AddPlane(std::vector<float>{1, NAN, 3, -70, 5, 900}, std::vector<float>{1, 0, 1, 0, 1, 0});
  const FrameFacts facts = statistics.Finish();
  EXPECT_EQ(facts.counted, 3);
  EXPECT_EQ(facts.not_finite, 0);
  EXPECT_EQ(facts.negative, 0);
  EXPECT_EQ(facts.minimum, 1);
  EXPECT_EQ(facts.maximum, 5);
  EXPECT_DOUBLE_EQ(facts.mean, 3);
  EXPECT_NEAR(facts.automatic_background, 3, 0.01) << "of one block";
}

TEST(FrameStatistics, CountsAndPlacesWhatIsNotFinite) {
  std::vector<float> photons(3 * 4 * 5, 2);
  photons[33] = NAN;
  photons[34] = INFINITY;
  photons[59] = -INFINITY;
  const FrameFacts facts = Measure({3, 4, 5}, photons);
  EXPECT_EQ(facts.not_finite, 3);
  ASSERT_TRUE(facts.first_not_finite.has_value());
  EXPECT_EQ(*facts.first_not_finite, (Voxel{1, 2, 3}));
  EXPECT_EQ(facts.mean, 2);
  EXPECT_EQ(facts.maximum, 2);
}

// Rows without NaN are summed in another way. One NaN must change nothing but that it is left out.
TEST(FrameStatistics, ANaNChangesNothingElse) {
  const Shape3 shape{2, 9, 21};
  std::vector<float> photons(static_cast<size_t>(shape.voxels()));
  for (size_t i = 0; i < photons.size(); ++i) photons[i] = static_cast<float>(static_cast<int>(i * 7 % 53) - 4);
  const CountScale scale{.read_noise = 2};
  const FrameFacts whole = Measure(shape, photons, scale);
  const auto n = static_cast<double>(photons.size());
  double sum = 0;
  for (const float v : photons) sum += std::max(v + 4.0, 0.0);
  EXPECT_EQ(whole.mean, sum / n);
  EXPECT_EQ(whole.minimum, -4);
  EXPECT_EQ(whole.maximum, 48);
  const double left_out = std::max(photons[100] + 4.0, 0.0);
  photons[100] = NAN;
  const FrameFacts facts = Measure(shape, photons, scale);
  EXPECT_DOUBLE_EQ(facts.mean, (sum - left_out) / (n - 1));
  EXPECT_EQ(facts.minimum, whole.minimum);
  EXPECT_EQ(facts.maximum, whole.maximum);
  EXPECT_EQ(facts.negative, whole.negative);
}

TEST(FrameStatistics, BackgroundOfAConstantIsTheConstant) {
  EXPECT_NEAR(Measure({3, 17, 19}, std::vector<float>(3 * 17 * 19, 42)).automatic_background, 42, 42.0 / 4096);
}

// Poisson noise on a background of 10, a quarter of the frame much brighter.
TEST(FrameStatistics, BackgroundIsFoundUnderNoiseAndBesideStructures) {
  const Shape3 shape{8, 64, 64};
  std::vector<float> photons(static_cast<size_t>(shape.voxels()));
  for (size_t i = 0; i < photons.size(); ++i) {
    const bool bright = i % 64 < 32 && i / 64 % 64 < 32;
    photons[i] = static_cast<float>(Random::OfVoxel(1, 1, i).Poisson(bright ? 300 : 10));
  }
  EXPECT_NEAR(Measure(shape, photons).automatic_background, 10, 0.15);
}

// Light everywhere, from 10 photons on: the estimate stays at the dark end.
TEST(FrameStatistics, BackgroundDoesNotClimbIntoHaze) {
  const Shape3 shape{8, 64, 64};
  std::vector<float> photons(static_cast<size_t>(shape.voxels()));
  for (size_t i = 0; i < photons.size(); ++i) {
    photons[i] = static_cast<float>(Random::OfVoxel(1, 1, i).Poisson(10 + 200.0 * static_cast<double>(i % 64) / 64));
  }
  const double background = Measure(shape, photons).automatic_background;
  EXPECT_GT(background, 10);
  EXPECT_LT(background, 28);  // the darkest blocks have 10 to 32 photons
}

TEST(FrameStatistics, BackgroundIsNeverNegative) {
  EXPECT_EQ(Measure({1, 16, 16}, std::vector<float>(256, -5)).automatic_background, 0);
}

TEST(FrameStatistics, ADeadCornerDoesNotDecide) {
  const Shape3 shape{4, 128, 128};
  std::vector<float> photons(static_cast<size_t>(shape.voxels()), 20);
  for (size_t y = 0; y < 16; ++y) {
    for (size_t x = 0; x < 16; ++x) photons[y * 128 + x] = 0;  // 4 of 1024 blocks
  }
  EXPECT_NEAR(Measure(shape, photons).automatic_background, 20, 0.01);
}

}  // namespace
}  // namespace deconvoy::worker
