#include "worker/pipeline/project.h"

#include <gtest/gtest.h>

#include <cmath>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using testing::FromBytes;
using testing::MemoryTask;

void Fill(v1::ProjectSpec::Axis axis, const Shape3& projected, v1::VoxelType type, MemoryTask& task) {
  v1::ProjectTask& work = *task.task.mutable_project();
  work.mutable_spec()->set_input_volume("volumes/in");
  work.mutable_spec()->set_axis(axis);
  work.set_t(1);
  task.AddOutput("volumes/out", type, {1, 0, {{}, projected}});
}

TEST(Project, TakesTheMaximumOfTheFrameAskedForInItsOwnType) {
  MemoryTask task;
  // Two time points of 2 x 2 x 2; the second is 10 to 80.
  const std::vector<uint16_t> raw{9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 10, 80, 30, 40, 50, 20, 70, 60};
  task.AddInput("volumes/in", {2, 1, 2, 2, 2}, v1::U16, AsBytes(raw));
  Fill(v1::ProjectSpec::Z, {1, 2, 2}, v1::U16, task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunProject(task.task, task));
  EXPECT_EQ(FromBytes<uint16_t>(task.output), (std::vector<uint16_t>{50, 80, 70, 60}));
  EXPECT_EQ(result.piece_crc32c_size(), 1);
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{2, 2}));
}

TEST(Project, RefusesNaN) {
  MemoryTask task;
  std::vector<float> values(16, 1);
  values[13] = NAN;
  task.AddInput("volumes/in", {2, 1, 2, 2, 2}, values);
  Fill(v1::ProjectSpec::X, {2, 2, 1}, v1::F32, task);
  const absl::Status status = RunProject(task.task, task).status();
  EXPECT_EQ(ReasonOf(status), v1::NOT_FINITE_INPUT);
  EXPECT_NE(std::string(status.message()).find("t=1 c=0 z=1 y=0 x=1"), std::string::npos) << status;
}

}  // namespace
}  // namespace deconvoy::worker
