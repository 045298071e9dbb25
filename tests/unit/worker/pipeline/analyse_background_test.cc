// What an analysis makes of the ways to give a background.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/analysis.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/imaging/random.h"
#include "worker/pipeline/analyse.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Messages;
using testing::SetAnalysis;

constexpr int kPlanes = 5;
constexpr double kOffset = 100;

double BehindPlane(int z) {
  return 20 + 10 * z;
}

// Two photons per count; a third of each plane has 200 photons of light. Returns the counts.
std::vector<float> Fill(MemoryTask& task) {
  std::vector<float> counts;
  Random random(3);
  for (int z = 0; z < kPlanes; ++z) {
    for (int i = 0; i < 64 * 64; ++i) {
      const double light = i % 64 < 21 ? 200 : 0;
      counts.push_back(static_cast<float>(kOffset + static_cast<double>(random.Poisson(BehindPlane(z) + light)) / 2));
    }
  }
  SetAnalysis({1, 1, kPlanes, 64, 64}, counts, task).set_gain_photons_per_count(2);
  return counts;
}

v1::AnalyseResult Analyse(MemoryTask& task) {
  const absl::StatusOr<v1::TaskResult> result = RunAnalyse(task.task, /*threads=*/2, task);
  EXPECT_OK(result.status());
  return result.ok() ? result->analyse() : v1::AnalyseResult();
}

TEST(AnalyseBackground, OfEachPlane) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_background_planes_auto(true);
  const v1::AnalyseResult result = Analyse(task);
  ASSERT_EQ(result.frames_size(), 1);
  const v1::FrameStatistics& frame = result.frames(0);
  ASSERT_EQ(frame.plane_background_size(), kPlanes);
  for (int z = 0; z < kPlanes; ++z) EXPECT_NEAR(frame.plane_background(z), BehindPlane(z), 1.5) << z;
  EXPECT_EQ(frame.background(), frame.plane_background(kPlanes - 1));
  const double light = 200.0 * 21 / 64;
  EXPECT_NEAR(frame.mean(), frame.background() + light, 2) << "every plane is raised to the same background";
  EXPECT_THAT(Messages(result, v1::INFO), HasSubstr("estimated for each plane: "));
}

TEST(AnalyseBackground, GivenForEachPlane) {
  MemoryTask task;
  Fill(task);
  for (int z = 0; z < kPlanes; ++z) {
    task.task.mutable_analyse()->mutable_spec()->mutable_background_planes()->add_counts(BehindPlane(z) / 2);
  }
  const v1::AnalyseResult result = Analyse(task);
  ASSERT_EQ(result.frames_size(), 1);
  for (int z = 0; z < kPlanes; ++z) EXPECT_EQ(result.frames(0).plane_background(z), BehindPlane(z));
  EXPECT_EQ(result.frames(0).background(), BehindPlane(kPlanes - 1));
}

TEST(AnalyseBackground, GivenForEachPlaneAndBrighterThanAllLight) {
  MemoryTask task;
  Fill(task);
  for (int z = 0; z < kPlanes; ++z) {
    task.task.mutable_analyse()->mutable_spec()->mutable_background_planes()->add_counts(500);
  }
  const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.background_planes");
}

TEST(AnalyseBackground, APercentile) {
  MemoryTask task;
  std::vector<float> sorted = Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_background_percentile(30);
  const v1::AnalyseResult result = Analyse(task);
  std::sort(sorted.begin(), sorted.end());
  const double expected = (sorted[sorted.size() * 3 / 10] - kOffset) * 2;
  EXPECT_NEAR(result.frames(0).background(), expected, 0.01 * expected);
  EXPECT_TRUE(result.frames(0).plane_background().empty());
  EXPECT_THAT(Messages(result, v1::INFO), HasSubstr("30 % of a frame's voxels lie below"));
}

TEST(AnalyseBackground, APercentileThatLeavesNoLightIsRefused) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  std::vector<float> bright(kPlanes * 64 * 64, 300);
  for (size_t i = 0; i < bright.size(); i += 3) bright[i] = 200;
  task.AddInput("volumes/bright", {1, 1, kPlanes, 64, 64}, bright);
  spec.set_input_volume("volumes/bright");
  spec.set_background_percentile(50);
  const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.background_percentile");
  EXPECT_THAT(std::string(status.message()), HasSubstr("and what 50 % of the voxels lie below"));
}

}  // namespace
}  // namespace deconvoy::worker
