#include "worker/pipeline/camera_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/imaging/planted.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using testing::BlurredSpecimen;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Recorded;

constexpr Shape3 kShape{12, 160, 128};

// Two channels with a gain of 0.5 and 2, the second with three bad pixels.
void Fill(MemoryTask& task) {
  std::vector<float> both;
  for (const double gain : {0.5, 2.0}) {
    const Camera camera{.scale = {.offset_counts = 100, .gain = gain, .read_noise = 3},
                        .background_photons = 10,
                        .type = v1::U16,
                        .seed = 3};
    const std::vector<float> counts = Recorded(camera, BlurredSpecimen(kShape, 4, 600));
    both.insert(both.end(), counts.begin(), counts.end());
  }
  for (int64_t z = 0; z < kShape.z; ++z) {
    for (const int64_t pixel : {5 * 128 + 7, 80 * 128 + 64, 159 * 128 + 127}) {
      both[static_cast<size_t>(((kShape.z + z) * 160) * 128 + pixel)] += 300;
    }
  }
  task.AddInput("volumes/in", {1, 2, kShape.z, kShape.y, kShape.x}, both);
}

v1::DeconvolveSpec Spec() {
  v1::DeconvolveSpec spec;
  spec.set_offset_counts(100);
  spec.set_boundary(v1::EXTEND);
  return spec;
}

absl::StatusOr<CameraSurvey> SurveyOf(MemoryTask& task, const v1::DeconvolveSpec& spec, int64_t c) {
  const v1::VolumeAccess* const flat = spec.flat_field_volume().empty() ? nullptr : &task.task.inputs(1);
  return SurveyCamera(spec, task.task.inputs(0), task.task.inputs(0).spec(), nullptr, flat, c, task);
}

TEST(CameraSurveyTest, WhatIsGivenIsKept) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec spec = Spec();
  spec.set_gain_photons_per_count(0.7);
  spec.set_read_noise_photons(2);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, spec, 0));
  EXPECT_EQ(survey.facts.gain_photons_per_count(), 0.7);
  EXPECT_EQ(survey.facts.read_noise_photons(), 2);
  EXPECT_EQ(survey.facts.gain_error(), 0);
  EXPECT_TRUE(survey.findings.empty());
}

TEST(CameraSurveyTest, GainAndReadNoiseOfEachChannelAreEstimated) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec spec = Spec();
  spec.set_estimate_gain(true);
  for (const int64_t c : {0, 1}) {
    ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, spec, c));
    const double gain = c == 0 ? 0.5 : 2;
    EXPECT_NEAR(survey.facts.gain_photons_per_count(), gain, 0.08 * gain);
    EXPECT_GT(survey.facts.gain_error(), 0);
    EXPECT_LT(survey.facts.gain_error(), 0.1 * gain);
    EXPECT_TRUE(survey.facts.read_noise_estimated());
    EXPECT_NEAR(survey.facts.read_noise_photons(), 3, 0.6);
    EXPECT_THAT(survey.findings.front().message(), HasSubstr("photons per count, read noise"));
  }
  spec.set_read_noise_photons(5);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey given, SurveyOf(task, spec, 0));
  EXPECT_EQ(given.facts.read_noise_photons(), 5);
  EXPECT_FALSE(given.facts.read_noise_estimated());
}

// What the mask leaves out is as bright as the specimen and has a noise of its own, or is no number.
TEST(CameraSurveyTest, WhatTheMaskLeavesOutTellsNothing) {
  const Camera camera{.scale = {.offset_counts = 100, .gain = 2, .read_noise = 3},
                      .background_photons = 10,
                      .type = v1::U16,
                      .seed = 3};
  std::vector<float> counts = Recorded(camera, BlurredSpecimen(kShape, 4, 600));
  std::vector<uint8_t> mask(counts.size(), 1);
  for (size_t i = 0; i < counts.size(); ++i) {
    const size_t y = i / 128 % 160, x = i % 128;
    if (y == 80 && x == 20) counts[i] += 300;  // a hot pixel
    if (x < 64) continue;
    mask[i] = 0;
    counts[i] = y == 9 ? NAN : static_cast<float>(100 + 4 * static_cast<double>(y) + 40 * Random(i).Normal());
  }
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, kShape.z, kShape.y, kShape.x}, counts);
  task.AddInput("volumes/mask", {1, 1, kShape.z, kShape.y, kShape.x}, v1::U8, AsBytes(mask));
  v1::DeconvolveSpec spec = Spec();
  spec.set_estimate_gain(true);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyCamera(spec, task.task.inputs(0), task.task.inputs(0).spec(),
                                                               &task.task.inputs(1), nullptr, 0, task));
  EXPECT_NEAR(survey.facts.gain_photons_per_count(), 2, 0.2);
  EXPECT_THAT(survey.facts.bad_pixels(), ElementsAre(80 * 128 + 20));
}

TEST(CameraSurveyTest, AGainThatCannotBeToldIsAnError) {
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 4, 64, 64}, std::vector<float>(4 * 64 * 64, 120));
  v1::DeconvolveSpec spec = Spec();
  spec.set_estimate_gain(true);
  const absl::Status status = SurveyOf(task, spec, 0).status();
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.estimate_gain");
}

TEST(CameraSurveyTest, AnOffsetThatIsTooLowIsWarnedOf) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec spec = Spec();
  spec.set_estimate_gain(true);
  spec.set_offset_counts(0);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, spec, 0));
  ASSERT_EQ(survey.findings.size(), 2U);
  EXPECT_EQ(survey.findings[1].severity(), v1::WARNING);
  EXPECT_EQ(survey.findings[1].info().field(), "deconvolve.offset_counts");
}

TEST(CameraSurveyTest, BadPixelsAreFoundWhereTheyAre) {
  MemoryTask task;
  Fill(task);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey clean, SurveyOf(task, Spec(), 0));
  EXPECT_TRUE(clean.facts.bad_pixels().empty());
  EXPECT_TRUE(clean.findings.empty());
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, Spec(), 1));
  EXPECT_THAT(survey.facts.bad_pixels(), ElementsAre(5 * 128 + 7, 80 * 128 + 64, 159 * 128 + 127));
  ASSERT_EQ(survey.findings.size(), 1U);
  EXPECT_THAT(survey.findings[0].message(), HasSubstr("channel 1: 3 pixels stand out"));
  EXPECT_THAT(survey.findings[0].message(), HasSubstr("the first at y=5 x=7"));
  v1::DeconvolveSpec off = Spec();
  off.set_keep_bad_pixels(true);
  ASSERT_OK_AND_ASSIGN(const CameraSurvey kept, SurveyOf(task, off, 1));
  EXPECT_TRUE(kept.facts.bad_pixels().empty());
}

// Strips of rows give what the whole plane gives.
TEST(CameraSurveyTest, ALargePlaneIsLookedAtInStrips) {
  constexpr int64_t kRows = 3200, kColumns = 128, kPlanes = 6;
  std::vector<uint16_t> counts(static_cast<size_t>(kPlanes * kRows * kColumns));
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = static_cast<uint16_t>(100 + Random(i).Poisson(20));
  std::vector<uint32_t> hot;
  for (int64_t y = 3; y < kRows; y += 13) hot.push_back(static_cast<uint32_t>(y * kColumns + y % 120 + 4));
  for (int64_t z = 0; z < kPlanes; ++z) {
    for (const uint32_t pixel : hot) counts[static_cast<size_t>(z * kRows * kColumns + pixel)] += 100;
  }
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, kPlanes, kRows, kColumns}, v1::U16, AsBytes(counts));
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, Spec(), 0));
  EXPECT_EQ(std::vector<uint32_t>(survey.facts.bad_pixels().begin(), survey.facts.bad_pixels().end()), hot);
  EXPECT_GT(task.reads, kPlanes) << "in one strip";
}

TEST(CameraSurveyTest, AFixedPatternIsNotTakenForBadPixels) {
  std::vector<uint16_t> counts(8 * 64 * 64);
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] = static_cast<uint16_t>(100 + Random(i).Poisson(20) + (i % (64 * 64) % 37 == 0 ? 200 : 0));
  }
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 8, 64, 64}, v1::U16, AsBytes(counts));
  ASSERT_OK_AND_ASSIGN(const CameraSurvey survey, SurveyOf(task, Spec(), 0));
  EXPECT_TRUE(survey.facts.bad_pixels().empty());
  ASSERT_EQ(survey.findings.size(), 1U);
  EXPECT_EQ(survey.findings[0].severity(), v1::INFO) << "it may be the specimen";
}

TEST(CameraSurveyTest, TheFlatFieldIsMeasuredAndChecked) {
  const auto survey = [](const std::vector<float>& flat, v1::Boundary boundary) {
    MemoryTask task;
    task.AddInput("volumes/in", {1, 2, 1, 1, 4}, std::vector<float>(8, 120));
    task.AddInput("volumes/flat", {1, 2, 1, 1, 4}, flat);
    v1::DeconvolveSpec spec = Spec();
    spec.set_boundary(boundary);
    spec.set_flat_field_volume("volumes/flat");
    return SurveyOf(task, spec, 1);
  };
  ASSERT_OK_AND_ASSIGN(const CameraSurvey found, survey({9, 9, 9, 9, 1, 2, 6, 0}, v1::EXTEND));
  EXPECT_EQ(found.facts.flat_field_mean(), 3) << "of those above 0";
  EXPECT_EQ(found.facts.flat_field_maximum(), 6);
  EXPECT_EQ(ReasonOf(survey({9, 9, 9, 9, 1, 2, 6, 0}, v1::MIRROR).status()), v1::INVALID_FIELD);
  EXPECT_OK(survey({9, 9, 9, 9, 1, 2, 6, 1}, v1::MIRROR).status());
  EXPECT_EQ(ReasonOf(survey({9, 9, 9, 9, 0, 0, -1, 0}, v1::EXTEND).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(survey({9, 9, 9, 9, 0, 0, NAN, 0}, v1::EXTEND).status()), v1::NOT_FINITE_INPUT);
}

TEST(CameraSurveyTest, StopsWhenCancelled) {
  MemoryTask task;
  Fill(task);
  task.cancel = true;
  EXPECT_TRUE(absl::IsCancelled(SurveyOf(task, Spec(), 0).status()));
}

}  // namespace
}  // namespace deconvoy::worker
