#include "worker/pipeline/motion_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/worker/imaging/planted.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using testing::BlurredSpecimen;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr Shape3 kShape{16, 96, 96};

// A plane of the specimen, moved by whole voxels around, with noise.
std::vector<float> Moved(const std::vector<float>& photons, int64_t z, int64_t dy, int64_t dx, uint64_t seed) {
  std::vector<float> plane(96 * 96);
  for (int64_t y = 0; y < 96; ++y) {
    for (int64_t x = 0; x < 96; ++x) {
      const auto to = static_cast<size_t>(y * 96 + x);
      const double mean = 5 + photons[static_cast<size_t>((z * 96 + (y - dy + 96) % 96) * 96 + (x - dx + 96) % 96)];
      plane[to] = static_cast<float>(Random::OfVoxel(seed, static_cast<uint64_t>(z), to).Poisson(mean));
    }
  }
  return plane;
}

class MotionSurveyTest : public ::testing::TestWithParam<v1::SpecimenKind> {
 protected:
  const std::vector<float> photons_ = BlurredSpecimen(kShape, 3, 300, GetParam());
};

TEST_P(MotionSurveyTest, ASpecimenThatRestsRaisesNothing) {
  MotionSurvey survey(0, 6, kShape, false);
  for (int64_t t = 0; t < 6; ++t) {
    for (int64_t z = 0; z < 16; ++z) survey.AddPlane(t, z, Moved(photons_, z, 0, 0, static_cast<uint64_t>(t)));
  }
  EXPECT_TRUE(survey.Findings().empty());
}

TEST_P(MotionSurveyTest, AJumpBetweenPlanesIsFound) {
  MotionSurvey survey(2, 1, kShape, false);
  for (int64_t z = 0; z < 16; ++z) survey.AddPlane(0, z, Moved(photons_, z, z >= 9 ? 4 : 0, z >= 9 ? -3 : 0, 1));
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity(), v1::INFO) << "it may be the specimen";
  EXPECT_THAT(findings[0].message(), HasSubstr("channel 2: planes look displaced against their neighbours at 1 place"));
  EXPECT_THAT(findings[0].message(),
              ContainsRegex("plane 9, by \\+(3.[7-9]|4.[0-3]) voxels along y and -(2.[7-9]|3.[0-3]) along x"));
}

TEST_P(MotionSurveyTest, ADriftOverTimeIsFound) {
  MotionSurvey survey(0, 9, kShape, false);
  for (int64_t t = 0; t < 9; ++t) {
    for (int64_t z = 0; z < 16; ++z) survey.AddPlane(t, z, Moved(photons_, z, t / 2, 0, static_cast<uint64_t>(t)));
  }
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].message(),
              ContainsRegex("drifts over the time points, by up to \\+(3.[7-9]|4.[0-3]) voxels along y"));
}

TEST_P(MotionSurveyTest, WhereItIsCorrectedItTellsWhereVoxelsWereRecorded) {
  MotionSurvey survey(0, 3, kShape, true);
  // At time point 1 planes from the tenth on have jumped, at 2 all has moved.
  const auto down = [](int64_t t, int64_t z) { return t == 2 ? 5 : t == 1 && z >= 10 ? -3 : 0; };
  const auto right = [](int64_t t, int64_t z) { return t == 2 ? -2 : t == 1 && z >= 10 ? 4 : 0; };
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t z = 0; z < 16; ++z) {
      survey.AddPlane(t, z, Moved(photons_, z, down(t, z), right(t, z), static_cast<uint64_t>(t)));
    }
  }
  for (int64_t t = 0; t < 3; ++t) {
    v1::FrameStatistics frame;
    survey.Tell(t, frame);
    EXPECT_EQ(frame.shift_z(), 0);
    ASSERT_EQ(frame.plane_shift_y_size(), t == 0 ? 0 : 16) << t;
    ASSERT_EQ(frame.plane_shift_x_size(), t == 0 ? 0 : 16) << t;
    for (int z = 0; z < frame.plane_shift_y_size(); ++z) {
      const bool jumped = t == 1 && z >= 10;  // by what its own structures go on from plane to plane, too
      EXPECT_NEAR(frame.plane_shift_y(z), down(t, z), jumped ? 1 : 0) << t << " " << z;
      EXPECT_NEAR(frame.plane_shift_x(z), right(t, z), jumped ? 1 : 0) << t << " " << z;
    }
  }
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[0].message(), HasSubstr("at 1 place, most at plane 10 of time point 1"));
  EXPECT_THAT(findings[0].message(), HasSubstr("are put back by whole voxels"));
  EXPECT_THAT(findings[1].message(), HasSubstr("they are put where the first is"));
  for (const v1::Finding& finding : findings) EXPECT_EQ(finding.severity(), v1::INFO);
}

INSTANTIATE_TEST_SUITE_P(Specimens, MotionSurveyTest,
                         ::testing::Values(v1::MIXED, v1::NUCLEI, v1::FILAMENTS, v1::SHELLS));

TEST(MotionSurvey, DriftAlongZIsFoundInThickStacks) {
  constexpr Shape3 kThick{40, 64, 96};
  const std::vector<float> photons = BlurredSpecimen(kThick, 7, 300);
  MotionSurvey survey(0, 4, kThick, true);
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t z = 0; z < 40; ++z) {
      const int64_t of = std::clamp<int64_t>(z - t, 0, 39);
      std::vector<float> plane;
      for (size_t i = 0; i < 64 * 96; ++i) {
        const double mean = 5 + photons[static_cast<size_t>(of) * 64 * 96 + i];
        plane.push_back(
            static_cast<float>(Random::OfVoxel(static_cast<uint64_t>(t), static_cast<uint64_t>(z), i).Poisson(mean)));
      }
      survey.AddPlane(t, z, plane);
    }
  }
  for (int64_t t = 0; t < 4; ++t) {
    v1::FrameStatistics frame;
    survey.Tell(t, frame);
    EXPECT_EQ(frame.shift_z(), t);
  }
  const auto findings = survey.Findings();
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(findings.back().message(), ContainsRegex("and \\+3 planes against the first"));
}

TEST(MotionSurvey, WhatWasAskedForAndIsNotDoneIsSaid) {
  MotionSurvey survey(0, 1, {3, 8, 8}, true);
  for (int64_t z = 0; z < 3; ++z) survey.AddPlane(0, z, std::vector<float>(64, static_cast<float>(z)));
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].message(), HasSubstr("motion is not corrected"));
  v1::FrameStatistics frame;
  survey.Tell(0, frame);
  EXPECT_TRUE(frame.plane_shift_y().empty());
}

TEST(MotionSurvey, SmallPlanesAreNotLookedAt) {
  MotionSurvey survey(0, 2, {3, 8, 8}, false);
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t z = 0; z < 3; ++z) survey.AddPlane(t, z, std::vector<float>(64, static_cast<float>(t)));
  }
  EXPECT_TRUE(survey.Findings().empty());
}

}  // namespace
}  // namespace deconvoy::worker
