// The analysis of an image that is still being written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/analysis.h"
#include "worker/pipeline/analyse.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Messages;
using testing::SetAnalysis;

constexpr Shape5 kShape{3, 2, 6, 16, 16};

// Counts of the first planes of the first time point, a level for each channel with a brighter voxel; the rest has not
// been written, and is no number here, so that it shows when it is looked at.
std::vector<float> Beginning(int64_t planes, const std::vector<float>& levels, float bright) {
  std::vector<float> counts(static_cast<size_t>(kShape.voxels()), std::numeric_limits<float>::quiet_NaN());
  for (size_t c = 0; c < levels.size(); ++c) {
    const size_t begin = c * 6 * 256, end = begin + static_cast<size_t>(planes) * 256;
    for (size_t i = begin; i < end; ++i) counts[i] = levels[c] + (i == begin + 40 ? bright : 0);
  }
  return counts;
}

TEST(AnalyseFirstPlanes, StandForEveryFrame) {
  MemoryTask task;
  SetAnalysis(kShape, Beginning(2, {110, 130}, 51.2F), task).set_background_auto(true);
  task.task.mutable_analyse()->set_first_planes(2);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  ASSERT_EQ(result.analyse().frames_size(), 2);
  for (int c = 0; c < 2; ++c) {
    const v1::FrameStatistics& frame = result.analyse().frames(c);
    EXPECT_EQ(frame.t(), 0U);
    EXPECT_EQ(frame.c(), static_cast<uint32_t>(c));
    EXPECT_NEAR(frame.mean(), (c == 0 ? 10 : 30) + 0.1, 1e-4);
    EXPECT_NEAR(frame.background(), c == 0 ? 10 : 30, 0.2);
    EXPECT_NEAR(frame.maximum(), (c == 0 ? 10 : 30) + 51.2, 1e-4);
  }
  EXPECT_EQ(result.analyse().channels_size(), 2);
  EXPECT_EQ(result.analyse().psfs_size(), 1);
  EXPECT_THAT(Messages(result.analyse(), v1::INFO), HasSubstr("from its first 2 planes of time point 0"));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{4, 4}));
}

TEST(AnalyseFirstPlanes, ThatAreDarkMakeNoFrameBlank) {
  MemoryTask task;
  v1::DeconvolveSpec& spec = SetAnalysis(kShape, Beginning(3, {100, 90}, 0), task);
  spec.set_background_auto(true);
  task.task.mutable_analyse()->set_first_planes(3);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult zero, RunAnalyse(task.task, /*threads=*/1, task));
  for (const v1::FrameStatistics& frame : zero.analyse().frames()) EXPECT_EQ(frame.mean(), 1);
  spec.set_background_counts(40);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult dark, RunAnalyse(task.task, /*threads=*/1, task));
  for (const v1::FrameStatistics& frame : dark.analyse().frames()) EXPECT_EQ(frame.mean(), 40);
  EXPECT_THAT(Messages(dark.analyse(), v1::WARNING), ::testing::Not(HasSubstr("dark")));
}

TEST(AnalyseFirstPlanes, HaveGivenBackgroundsOfAllPlanes) {
  MemoryTask task;
  v1::DeconvolveSpec& spec = SetAnalysis(kShape, Beginning(2, {110, 110}, 20), task);
  for (const double counts : {1, 2, 3, 4, 5, 6}) spec.mutable_background_planes()->add_counts(counts);
  task.task.mutable_analyse()->set_first_planes(2);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/1, task));
  for (const v1::FrameStatistics& frame : result.analyse().frames()) {
    EXPECT_EQ(frame.background(), 6);
    ASSERT_EQ(frame.plane_background_size(), 6);
    EXPECT_EQ(frame.plane_background(3), 4);
  }
}

TEST(AnalyseFirstPlanes, AreAtMostAllOfTheFirstStack) {
  MemoryTask task;
  SetAnalysis(kShape, Beginning(6, {110, 120}, 51.2F), task).set_background_auto(true);
  task.task.mutable_analyse()->set_first_planes(100);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/1, task));
  EXPECT_EQ(result.analyse().frames_size(), 2);
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{12, 12}));
}

// More time points than one message could tell of one by one.
TEST(AnalyseFirstPlanes, StandForAnyNumberOfTimePoints) {
  constexpr Shape5 kLong{25'000, 1, 2, 8, 8};
  std::vector<float> counts(static_cast<size_t>(kLong.voxels()), 110);
  counts[5] = 150;
  MemoryTask task;
  SetAnalysis(kLong, counts, task).set_background_auto(true);
  task.task.mutable_analyse()->set_first_planes(2);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/1, task));
  EXPECT_EQ(result.analyse().frames_size(), 1);
}

TEST(AnalyseFirstPlanes, AreLookedThroughForVoxelsThatAreNoNumbers) {
  MemoryTask task;
  SetAnalysis(kShape, Beginning(2, {110, 120}, 0), task).set_background_auto(true);
  task.task.mutable_analyse()->set_first_planes(3);
  EXPECT_EQ(ReasonOf(RunAnalyse(task.task, /*threads=*/1, task).status()), v1::NOT_FINITE_INPUT);
}

}  // namespace
}  // namespace deconvoy::worker
