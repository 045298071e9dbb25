#include "worker/pipeline/motion_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  MotionSurvey survey(0, 6, kShape);
  for (int64_t t = 0; t < 6; ++t) {
    for (int64_t z = 0; z < 16; ++z) survey.AddPlane(t, z, Moved(photons_, z, 0, 0, static_cast<uint64_t>(t)));
  }
  EXPECT_TRUE(survey.Findings().empty());
}

TEST_P(MotionSurveyTest, AJumpBetweenPlanesIsFound) {
  MotionSurvey survey(2, 1, kShape);
  for (int64_t z = 0; z < 16; ++z) survey.AddPlane(0, z, Moved(photons_, z, z >= 9 ? 4 : 0, z >= 9 ? -3 : 0, 1));
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity(), v1::INFO) << "it may be the specimen";
  EXPECT_THAT(findings[0].message(), HasSubstr("channel 2: planes look displaced against their neighbours at 1 place"));
  EXPECT_THAT(findings[0].message(),
              ContainsRegex("plane 9, by \\+(3.[7-9]|4.[0-3]) voxels along y and -(2.[7-9]|3.[0-3]) along x"));
}

TEST_P(MotionSurveyTest, ADriftOverTimeIsFound) {
  MotionSurvey survey(0, 9, kShape);
  for (int64_t t = 0; t < 9; ++t) {
    for (int64_t z = 0; z < 16; ++z) survey.AddPlane(t, z, Moved(photons_, z, t / 2, 0, static_cast<uint64_t>(t)));
  }
  const auto findings = survey.Findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].message(),
              ContainsRegex("drifts over the time points, by up to \\+(3.[7-9]|4.[0-3]) voxels along y"));
}

INSTANTIATE_TEST_SUITE_P(Specimens, MotionSurveyTest,
                         ::testing::Values(v1::MIXED, v1::NUCLEI, v1::FILAMENTS, v1::SHELLS));

TEST(MotionSurvey, SmallPlanesAreNotLookedAt) {
  MotionSurvey survey(0, 2, {3, 8, 8});
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t z = 0; z < 3; ++z) survey.AddPlane(t, z, std::vector<float>(64, static_cast<float>(t)));
  }
  EXPECT_TRUE(survey.Findings().empty());
}

}  // namespace
}  // namespace deconvoy::worker
