#include "worker/imaging/motion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

// Steps of a stack whose structures run obliquely, more so further on, as they are found: to a tenth of a voxel.
std::vector<PlaneStep> Oblique(int64_t planes) {
  std::vector<PlaneStep> steps;
  for (int64_t z = 1; z < planes; ++z) {
    Random error = Random::OfVoxel(3, 1, static_cast<uint64_t>(z));
    const double trend = 0.06 * static_cast<double>(z);
    steps.push_back({z,
                     {.y = trend + error.Uniform(-0.1, 0.1),
                      .x = -0.5 + error.Uniform(-0.1, 0.1),
                      .certainty = 20,
                      .alike = 0.9,
                      .alike_at_rest = 0.8}});
  }
  return steps;
}

TEST(FindJumps, StructuresThatRunObliquelyAreNoMotion) {
  const PlaneMotion motion = FindJumps(Oblique(24), 24, 1);
  EXPECT_EQ(motion.jumps, 0);
  EXPECT_TRUE(motion.planes.empty());
}

TEST(FindJumps, AJumpMovesAllPlanesAfterIt) {
  std::vector<PlaneStep> steps = Oblique(24);
  steps[18].shift.y += 4;
  steps[18].shift.x -= 3;
  const PlaneMotion motion = FindJumps(steps, 24, 1);
  EXPECT_EQ(motion.jumps, 1);
  EXPECT_EQ(motion.largest.to, 19);
  ASSERT_EQ(motion.planes.size(), 24U);
  for (size_t z = 0; z < 24; ++z) {
    EXPECT_NEAR(motion.planes[z].y, z < 19 ? 0 : 4, 0.4) << z;
    EXPECT_NEAR(motion.planes[z].x, z < 19 ? 0 : -3, 0.4) << z;
  }
}

TEST(FindJumps, WhatLooksOtherwiseAfterwardsHasNotMoved) {
  std::vector<PlaneStep> steps = Oblique(24);
  steps[12].shift.y += 20;
  steps[12].shift.alike = 0.85;
  EXPECT_EQ(FindJumps(steps, 24, 1).jumps, 0);
  steps[12].shift.alike = 0.95;
  EXPECT_EQ(FindJumps(steps, 24, 1).jumps, 1);
}

TEST(FindJumps, ThereAndBackIsOnePlane) {
  std::vector<PlaneStep> steps = Oblique(16);
  steps[9].shift.x += 6;
  steps[10].shift.x -= 6;
  const PlaneMotion motion = FindJumps(steps, 16, 1);
  EXPECT_EQ(motion.jumps, 2);
  for (size_t z = 0; z < 16; ++z) EXPECT_NEAR(motion.planes[z].x, z == 10 ? 6 : 0, 0.4) << z;
}

TEST(FindJumps, TheStackIsWhereMostOfItIs) {
  std::vector<PlaneStep> steps = Oblique(16);
  steps[5].shift.y += 5;  // planes 6 to 15
  const PlaneMotion motion = FindJumps(steps, 16, 1);
  for (size_t z = 0; z < 16; ++z) EXPECT_NEAR(motion.planes[z].y, z < 6 ? -5 : 0, 0.4) << z;
}

TEST(FindJumps, StepsThatWereNotFoundAreNoMotion) {
  std::vector<PlaneStep> steps = Oblique(16);
  steps.erase(steps.begin() + 3, steps.begin() + 6);
  EXPECT_EQ(FindJumps(steps, 16, 1).jumps, 0);
  EXPECT_EQ(FindJumps(std::vector<PlaneStep>(steps.begin(), steps.begin() + 3), 16, 1).jumps, 0);
}

// Spots about the middle of 64 x 64, with noise.
std::vector<float> Spots(double dy, double dx, uint64_t noise) {
  std::vector<float> plane(64 * 64, 10);
  Random random(5);
  for (int spot = 0; spot < 20; ++spot) {
    const double y = dy + random.Uniform(16, 48), x = dx + random.Uniform(16, 48);
    for (int64_t i = 0; i < 64 * 64; ++i) {
      const double q = std::pow(static_cast<double>(i / 64) - y, 2) + std::pow(static_cast<double>(i % 64) - x, 2);
      plane[static_cast<size_t>(i)] += static_cast<float>(100 * std::exp(-q / 6));
    }
  }
  for (size_t i = 0; i < plane.size(); ++i) {
    plane[i] = static_cast<float>(Random::OfVoxel(noise, 1, i).Poisson(static_cast<double>(plane[i])));
  }
  return plane;
}

// In steps that are too small to be told one by one without adding up errors.
TEST(MotionTrackTest, ErrorsDoNotAddUpOverTime) {
  MotionTrack track(64, 64);
  for (int64_t t = 0; t < 61; ++t) {
    track.Add(Spots(0.1 * static_cast<double>(t), 0, static_cast<uint64_t>(t)));
    track.EndTime(t);
  }
  for (int64_t t = 0; t < 61; ++t) {
    EXPECT_NEAR(track.At(t).y, 0.1 * static_cast<double>(t), 0.25) << t;
    EXPECT_NEAR(track.At(t).x, 0, 0.25) << t;
  }
  EXPECT_NEAR(track.Furthest().y, 6, 0.3);
  EXPECT_LT(track.LargestStep(), 0.5);
}

TEST(MotionTrackTest, TimePointsBetweenThoseThatWereFollowedLieOnALine) {
  MotionTrack track(64, 64);
  EXPECT_EQ(Length(track.At(3)), 0);
  for (const int64_t t : {0, 4}) {
    track.Add(Spots(static_cast<double>(t), 0, 7));
    track.EndTime(t);
  }
  EXPECT_NEAR(track.At(1).y, 1, 0.1);
  EXPECT_NEAR(track.At(4).y, 4, 0.2);
  EXPECT_NEAR(track.At(9).y, 4, 0.2) << "after the last one";
}

// Rows of 5 columns of a stack of 24 planes whose spots lie `shift` planes further on, with noise.
std::vector<float> Rows(int64_t shift, uint64_t noise) {
  std::vector<float> rows;
  for (int64_t i = 0; i < 24 * 5; ++i) {
    const double z = static_cast<double>(i / 5 - shift), x = static_cast<double>(i % 5);
    const double light = 500 + 300 * std::exp(-std::pow(z - 8 - x, 2) / 20) + 200 * std::exp(-std::pow(z - 17, 2) / 8);
    rows.push_back(static_cast<float>(Random::OfVoxel(noise, 1, static_cast<uint64_t>(i)).Poisson(light)));
  }
  return rows;
}

TEST(DepthShiftTest, FindsWholePlanes) {
  const std::vector<float> first = Rows(0, 1);
  for (const int64_t shift : {0, 1, -2, 5, -6}) {
    EXPECT_EQ(DepthShift(first, Rows(shift, 2), 24, 0, 8), shift);
    EXPECT_EQ(DepthShift(first, Rows(shift, 3), 24, shift - 2, 3), shift) << "from another guess";
  }
  const std::vector<float> even(first.size(), 3);
  EXPECT_EQ(DepthShift(first, even, 24, 4, 8), 4) << "which tells nothing";
}

TEST(MotionTrackTest, ADarkTimePointStaysWhereTheSpecimenWas) {
  MotionTrack track(64, 64);
  for (int64_t t = 0; t < 4; ++t) {
    track.Add(t == 2 ? std::vector<float>(64 * 64, 10) : Spots(t > 2 ? 5 : 3 * static_cast<double>(t), 0, 7));
    track.EndTime(t);
  }
  EXPECT_NEAR(track.At(2).y, 3, 0.2);
  EXPECT_NEAR(track.At(3).y, 5, 0.2) << "by the first one";
}

}  // namespace
}  // namespace deconvoy::worker
