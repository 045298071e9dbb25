#include "worker/imaging/shift.h"

#include <gtest/gtest.h>

#include <cmath>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

// Spots of 4 pixels' width, moved, as a camera with 10 photons of background records them.
std::vector<float> Spots(int64_t rows, int64_t columns, double dy, double dx, uint64_t noise) {
  std::vector<float> plane(static_cast<size_t>(rows * columns), 10);
  Random random(5);
  for (int spot = 0; spot < 40; ++spot) {
    const double y = dy + random.Uniform(0.1, 0.9) * static_cast<double>(rows),
                 x = dx + random.Uniform(0.1, 0.9) * static_cast<double>(columns);
    for (int64_t v = 0; v < rows; ++v) {
      for (int64_t u = 0; u < columns; ++u) {
        const double q = std::pow(static_cast<double>(v) - y, 2) + std::pow(static_cast<double>(u) - x, 2);
        plane[static_cast<size_t>(v * columns + u)] += static_cast<float>(100 * std::exp(-q / 6));
      }
    }
  }
  for (size_t i = 0; i < plane.size(); ++i) {
    plane[i] = static_cast<float>(Random::OfVoxel(noise, 1, i).Poisson(static_cast<double>(plane[i])));
  }
  return plane;
}

TEST(ShiftTest, FindsPartsOfAVoxel) {
  for (const auto& [dy, dx] : {std::pair(0.0, 0.0), {2.0, -3.0}, {0.4, 0.25}, {-5.3, 7.7}}) {
    ShiftFinder finder(128, 160);
    finder.Add(Spots(128, 160, 0, 0, 1));
    EXPECT_FALSE(finder.Next().has_value()) << "the first";
    finder.Add(Spots(128, 160, dy, dx, 2));
    const auto shift = finder.Next();
    ASSERT_TRUE(shift.has_value());
    EXPECT_NEAR(shift->y, dy, 0.15);
    EXPECT_NEAR(shift->x, dx, 0.15);
    EXPECT_GT(shift->certainty, ShiftFinder::kCertain);
    EXPECT_TRUE(ShiftFinder::IsSure(*shift));
    EXPECT_GT(shift->alike, 0.9);
    EXPECT_LE(shift->alike, 1);
    EXPECT_LT(shift->alike_at_rest, std::hypot(dy, dx) < 1 ? 1.001 : 0.85);
  }
}

TEST(ShiftTest, LargePlanesAreBinned) {
  ShiftFinder finder(512, 300);
  EXPECT_EQ(finder.bin(), 4);
  finder.Add(Spots(512, 300, 0, 0, 1));
  finder.Next();
  finder.Add(Spots(512, 300, 6, -10, 2));
  const auto shift = finder.Next();
  ASSERT_TRUE(shift.has_value());
  EXPECT_NEAR(shift->y, 6, 0.6);
  EXPECT_NEAR(shift->x, -10, 0.6);
}

TEST(ShiftTest, WhatHasNothingInCommonIsUncertain) {
  ShiftFinder finder(128, 128);
  std::vector<float> noise(128 * 128);
  for (int i = 0; i < 5; ++i) {
    for (size_t k = 0; k < noise.size(); ++k) {
      noise[k] = static_cast<float>(Random::OfVoxel(static_cast<uint64_t>(i), 2, k).Poisson(20));
    }
    finder.Add(noise);
    const auto shift = finder.Next();
    if (shift) {
      EXPECT_LT(shift->certainty, ShiftFinder::kCertain);
    }
  }
}

TEST(ShiftTest, AnImageOfOneValueHasNoShift) {
  ShiftFinder finder(32, 32);
  const std::vector<float> even(32 * 32, 3);
  for (int i = 0; i < 3; ++i) {
    finder.Add(even);
    EXPECT_FALSE(finder.Next().has_value());
  }
}

}  // namespace
}  // namespace deconvoy::worker
