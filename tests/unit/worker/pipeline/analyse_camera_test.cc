// What the analysis finds of the camera and of light that fades.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/imaging/planted.h"
#include "tests/unit/worker/pipeline/analysis.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/pipeline/analyse.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Messages;
using testing::SetAnalysis;

// Four time points of 10 planes, each of 50 +- 5 photons above 40 of background that fade by a tenth from one to the
// next, and a hot pixel.
void FillFading(MemoryTask& task) {
  constexpr Shape5 kFading{4, 1, 10, 32, 32};
  std::vector<float> counts;
  for (int64_t i = 0; i < kFading.t * kFading.z * 1024; ++i) {
    const double fades = std::pow(0.9, static_cast<double>(i / 1024) / 10);
    const bool dark = i % 32 < 12;
    counts.push_back(
        static_cast<float>(140 + (dark ? 0 : fades * (i % 2 == 0 ? 45 : 55)) + (i % 1024 == 700 ? 900 : 0)));
  }
  SetAnalysis(kFading, counts, task).set_background_auto(true);
}

TEST(AnalyseCamera, LeavesBadPixelsOutOfEverything) {
  MemoryTask task;
  FillFading(task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  ASSERT_EQ(result.analyse().channels_size(), 1);
  EXPECT_THAT(result.analyse().channels(0).bad_pixels(), ::testing::ElementsAre(700));
  EXPECT_EQ(result.analyse().channels(0).gain_photons_per_count(), 1);
  EXPECT_NEAR(result.analyse().frames(0).maximum(), 95, 0.1);
  task.task.mutable_analyse()->mutable_spec()->set_boundary(v1::MIRROR);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult replaced, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_NEAR(replaced.analyse().frames(0).maximum(), 95, 0.1);
  task.task.mutable_analyse()->mutable_spec()->set_keep_bad_pixels(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult kept, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_GT(kept.analyse().frames(0).maximum(), 900);
}

TEST(AnalyseCamera, CorrectsBleachingBeforeItMeasuresFrames) {
  MemoryTask task;
  FillFading(task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult as_it_is, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_TRUE(as_it_is.analyse().frames(3).plane_light().empty());
  EXPECT_THAT(Messages(as_it_is.analyse(), v1::WARNING), HasSubstr("the light fades by"));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{40, 40}));
  task.task.mutable_analyse()->mutable_spec()->set_correct_bleaching(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{80, 80}));
  for (int t = 0; t < 4; ++t) {
    const v1::FrameStatistics& frame = result.analyse().frames(t);
    ASSERT_EQ(frame.plane_light_size(), 10);
    for (int z = 0; z < 10; ++z) EXPECT_NEAR(frame.plane_light(z), std::pow(0.9, t + z / 10.0), 0.002) << t << " " << z;
    EXPECT_NEAR(frame.background(), 40, 0.1);
    EXPECT_NEAR(frame.mean(), 40 + 50 * 20.0 / 32, 0.3) << "in all frames that of the first plane";
    EXPECT_NEAR(frame.maximum(), 95, 0.3);
  }
  EXPECT_EQ(Messages(result.analyse(), v1::WARNING), "");
}

TEST(AnalyseCamera, DividesByTheFlatField) {
  MemoryTask task;
  std::vector<float> counts, flat;
  for (int64_t i = 0; i < 3 * 256; ++i) counts.push_back(100 + (i % 16 < 8 ? 30.0F : 60.0F) * (i == 300 ? 2 : 1));
  for (int64_t i = 0; i < 256; ++i) flat.push_back(i % 16 < 8 ? 2 : 4);
  task.AddInput("volumes/in", {1, 1, 3, 16, 16}, counts);
  task.AddInput("volumes/psf", {1, 1, 3, 3, 3}, std::vector<float>(27, 1));
  task.AddInput("volumes/flat", {1, 1, 1, 16, 16}, flat);
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_flat_field_volume("volumes/flat");
  spec.set_offset_counts(100);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  const v1::FrameStatistics& frame = result.analyse().frames(0);
  EXPECT_NEAR(frame.minimum(), 45, 1e-4);
  EXPECT_NEAR(frame.maximum(), 90, 1e-4);
  EXPECT_NEAR(frame.background(), 45, 0.1);
  EXPECT_EQ(result.analyse().channels(0).flat_field_mean(), 3);
  EXPECT_EQ(result.analyse().channels(0).flat_field_maximum(), 4);
}

// A stack as of a widefield microscope, of which every plane has all of the light, and fades to 60 %.
TEST(AnalyseCamera, CorrectsBleachingOfFortyPercentToTwo) {
  constexpr int64_t kPlanes = 50, kExtent = 96;
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<float> plane = testing::BlurredSpecimen({1, kExtent, kExtent}, seed, 200);
    const auto fades = [](int64_t z) { return std::pow(0.6, static_cast<double>(z) / (kPlanes - 1)); };
    std::vector<float> photons;
    for (int64_t z = 0; z < kPlanes; ++z) {
      for (const float v : plane) photons.push_back(static_cast<float>(fades(z)) * v);
    }
    const Camera camera{.scale = {.offset_counts = 100, .gain = 0.5, .read_noise = 2},
                        .background_photons = 20,
                        .type = v1::U16,
                        .seed = seed};
    MemoryTask task;
    FillFading(task);
    task.task.clear_inputs();
    task.AddInput("volumes/in", {1, 1, kPlanes, kExtent, kExtent}, testing::Recorded(camera, photons));
    task.AddInput("volumes/psf", {1, 1, 3, 3, 3}, std::vector<float>(27, 1));
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    spec.set_gain_photons_per_count(0.5);
    spec.set_correct_bleaching(true);
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
    ASSERT_EQ(result.analyse().frames(0).plane_light_size(), kPlanes);
    for (int z = 0; z < kPlanes; ++z) {
      EXPECT_NEAR(result.analyse().frames(0).plane_light(z) / fades(z), 1, 0.02) << "seed " << seed << " plane " << z;
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
