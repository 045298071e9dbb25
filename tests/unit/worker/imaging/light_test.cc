#include "worker/imaging/light.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

LightSeries Series(int64_t frames, int64_t planes, const std::function<double(int64_t t, int64_t z)>& light) {
  LightSeries series{frames, planes, {}};
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t z = 0; z < planes; ++z) series.light.push_back(light(t, z));
  }
  return series;
}

// A nucleus' shape along z.
double Shape(int64_t z, int64_t planes) {
  const double q = (static_cast<double>(z) + 0.5) / static_cast<double>(planes) - 0.4;
  return 5 + 100 * std::exp(-12 * q * q);
}

TEST(LightTest, BleachingOfAStackIsFoundToTwoPercent) {
  for (const uint64_t seed : {1, 2, 3}) {
    const auto fades = [](int64_t z) { return std::pow(0.6, static_cast<double>(z) / 49); };
    const LightSeries series = Series(1, 50, [&](int64_t, int64_t z) {
      return 20 * fades(z) * (1 + 0.02 * Random::OfVoxel(seed, 1, static_cast<uint64_t>(z)).Normal());
    });
    const auto found = FitBleaching(series);
    ASSERT_TRUE(found.has_value());
    EXPECT_FALSE(found->over_time);
    for (int64_t z = 0; z < 50; ++z) EXPECT_NEAR(found->factor[static_cast<size_t>(z)] / fades(z), 1, 0.02) << z;
    EXPECT_NEAR(found->last, 0.6, 0.012);
    EXPECT_NEAR(found->spread, 0.02, 0.01);
  }
}

TEST(LightTest, OverTimeTheSpecimensShapeDoesNotMatter) {
  // Two rates, as there often are; one plane of one time point is much brighter.
  const auto fades = [](double n) { return 0.5 * std::exp(-n / 12) + 0.5 * std::exp(-n / 60); };
  const LightSeries series = Series(30, 20, [&](int64_t t, int64_t z) {
    return fades(static_cast<double>(t) + static_cast<double>(z) / 20) * Shape(z, 20) * (t == 9 && z == 3 ? 5 : 1);
  });
  const auto found = FitBleaching(series);
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->over_time);
  EXPECT_EQ(found->factor.front(), 1);
  for (int64_t i = 0; i < 600; ++i) {
    EXPECT_NEAR(found->factor[static_cast<size_t>(i)], fades(static_cast<double>(i) / 20), 0.02) << i;
  }
}

TEST(LightTest, TooLittleTellsNothing) {
  EXPECT_FALSE(FitBleaching(Series(1, 7, [](int64_t, int64_t) { return 1.0; })).has_value());
  EXPECT_FALSE(FitBleaching(Series(1, 50, [](int64_t, int64_t) { return -1.0; })).has_value());
  EXPECT_FALSE(FitBleaching(Series(9, 2, [](int64_t t, int64_t) { return t == 0 ? 1.0 : 0.0; })).has_value());
  EXPECT_FALSE(FitFlicker(Series(8, 8, [](int64_t, int64_t) { return 1.0; })).has_value());
  EXPECT_FALSE(FitDepthLoss(Series(2, 30, [](int64_t, int64_t) { return 1.0; })).has_value());
}

TEST(LightTest, FlickerIsWhatPlanesDeviateFromTheirNeighbours) {
  const auto flickers = [](int64_t z) { return z % 7 == 3 ? 0.9 : 1.0; };
  const auto found = FitFlicker(Series(1, 40, [&](int64_t, int64_t z) { return flickers(z) * Shape(z, 40); }));
  ASSERT_TRUE(found.has_value());
  for (int64_t z = 0; z < 40; ++z) {
    const bool end = z < 2 || z >= 38;  // has neighbours on one side
    EXPECT_NEAR(found->factor[static_cast<size_t>(z)], flickers(z), end ? 0.05 : 0.015) << z;
  }
}

TEST(LightTest, FlickerOfEveryPlaneIsMoreThanHalved) {
  const auto flickers = [](int64_t z) { return 1 + 0.05 * Random::OfVoxel(3, 1, static_cast<uint64_t>(z)).Normal(); };
  const auto found = FitFlicker(Series(1, 60, [&](int64_t, int64_t z) { return flickers(z) * Shape(z, 60); }));
  ASSERT_TRUE(found.has_value());
  double before = 0, after = 0;
  for (int64_t z = 0; z < 60; ++z) {
    before += std::pow(flickers(z) - 1, 2);
    after += std::pow(flickers(z) / found->factor[static_cast<size_t>(z)] - 1, 2);
  }
  EXPECT_LT(std::sqrt(after / before), 0.6);
  EXPECT_NEAR(found->deviation, 0.05, 0.025);
  EXPECT_GT(found->whiteness, 0.5);
}

TEST(LightTest, ASmoothSpecimenDoesNotFlicker) {
  for (const int64_t planes : {12, 30, 100}) {
    const auto found = FitFlicker(Series(1, planes, [&](int64_t, int64_t z) { return Shape(z, planes); }));
    ASSERT_TRUE(found.has_value());
    EXPECT_TRUE(found->deviation < 0.02 || found->whiteness < 0.5) << planes << ": " << found->deviation;
  }
}

TEST(LightTest, FlickerOverTimeLeavesTheShapeAndTheBleaching) {
  const auto flickers = [](int64_t t, int64_t z) { return (t * 10 + z) % 11 == 4 ? 1.1 : 1.0; };
  const auto found = FitFlicker(Series(12, 10, [&](int64_t t, int64_t z) {
    return flickers(t, z) * std::exp(-0.02 * static_cast<double>(t)) * (z % 2 == 0 ? 3 : 1);
  }));
  ASSERT_TRUE(found.has_value());
  for (int64_t i = 0; i < 120; ++i) {
    EXPECT_NEAR(found->factor[static_cast<size_t>(i)], flickers(i / 10, i % 10), 0.015) << i;
  }
}

TEST(LightTest, LossWithDepthIsThatOfAllTimePoints) {
  const auto found = FitDepthLoss(Series(5, 21, [](int64_t t, int64_t z) {
    return std::exp(-0.1 * static_cast<double>(t)) * std::pow(0.7, static_cast<double>(z) / 20);
  }));
  ASSERT_TRUE(found.has_value());
  EXPECT_NEAR(found->last, 0.7, 1e-6);
  EXPECT_NEAR(found->spread, 0, 1e-6);
}

}  // namespace
}  // namespace deconvoy::worker
