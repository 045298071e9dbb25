#include "server/jobs/live_job.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <span>

#include "proto/contract/volume_layout.h"
#include "server/jobs/job_step.h"
#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

v1::VolumeSpec StackOf(const Shape3& shape) {
  v1::VolumeSpec spec;
  spec.set_type(v1::U16);
  *spec.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
  return spec;
}

// A projection of `frames` frames, all of them ready.
class LiveJobTest : public ::testing::Test {
 protected:
  LiveJob Make(int64_t frames) {
    JobRecord record;
    record.id = "job";
    record.state = v1::RUNNING;
    record.job.mutable_spec()->mutable_project()->set_input_volume("volumes/in");
    std::vector<TaskRecord> tasks;
    for (int64_t i = 0; i < frames; ++i) {
      TaskRecord& task = tasks.emplace_back();
      task.number = i;
      task.kind = TaskKind::kProject;
      task.t = i;
    }
    return LiveJob(record, {{"in", {}}}, tasks, std::nullopt, clock_.Wall(), clock_.Steady());
  }
  // Moves one task as a step would.
  void MoveTo(LiveJob& job, int64_t number, TaskState state, const std::string& worker = "",
              absl::Duration backoff = absl::ZeroDuration()) {
    JobStep step(job, clock_.Wall());
    TaskRecord task = job.RecordOf(number);
    if (!worker.empty()) task.worker = worker;
    task.not_before = clock_.Wall() + backoff;
    ASSERT_OK(step.MoveTask(task, state));
    job.Accept(step.change, std::nullopt, clock_.Wall(), clock_.Steady());
  }

  testing::FakeClock clock_;
};

TEST_F(LiveJobTest, BeadsTakeTheMemoryOfTheLargestStackAndTheirOwn) {
  constexpr int64_t kStackVoxels = int64_t{50} * 256 * 256, kPsfVoxels = int64_t{31} * 31 * 31;
  const auto bytes = [this](std::initializer_list<const char*> stacks) {
    JobRecord record;
    v1::DistillSpec& spec = *record.job.mutable_spec()->mutable_distill();
    spec.set_input_volume(*stacks.begin());
    for (const char* more : std::span(stacks).subspan(1)) spec.add_more_volumes(more);
    for (const auto set : {&v1::Voxel3::set_z, &v1::Voxel3::set_y, &v1::Voxel3::set_x})
      (spec.mutable_shape()->*set)(31);
    const std::map<std::string, v1::VolumeSpec> volumes = {{"small", StackOf({40, 64, 64})},
                                                           {"large", StackOf({50, 256, 256})}};
    TaskRecord task;
    task.kind = TaskKind::kDistill;
    return LiveJob(record, volumes, {task}, std::nullopt, clock_.Wall(), clock_.Steady()).memory_bytes();
  };
  EXPECT_EQ(bytes({"volumes/small", "volumes/large"}), bytes({"volumes/large"}));
  EXPECT_LT(bytes({"volumes/small"}), bytes({"volumes/large"}));
  EXPECT_GT(bytes({"volumes/large"}), 16 * kStackVoxels + 8 * 12 * kPsfVoxels) << "and at least eight beads";
}

TEST_F(LiveJobTest, GivesTheLowestNumberFirst) {
  LiveJob job = Make(3);
  EXPECT_EQ(job.FirstAvailable(""), 0);
  MoveTo(job, 0, TaskState::kLeased, "a");
  EXPECT_EQ(job.FirstAvailable(""), 1);
  MoveTo(job, 1, TaskState::kLeased, "a");
  MoveTo(job, 2, TaskState::kLeased, "a");
  EXPECT_FALSE(job.HasAvailable(clock_.Steady()));
  EXPECT_EQ(job.leased_tasks(), 3);
  MoveTo(job, 1, TaskState::kReady);
  EXPECT_EQ(job.FirstAvailable(""), 1);
  EXPECT_EQ(job.ready_tasks(), 1);
}

TEST_F(LiveJobTest, ABackoffHoldsATaskBack) {
  LiveJob job = Make(1);
  MoveTo(job, 0, TaskState::kLeased, "a");
  MoveTo(job, 0, TaskState::kReady, "", absl::Seconds(4));
  EXPECT_FALSE(job.HasAvailable(clock_.Steady()));
  ASSERT_TRUE(job.NextDue());
  EXPECT_EQ(*job.NextDue() - clock_.Steady(), std::chrono::seconds(4));
  clock_.Advance(std::chrono::milliseconds(3999));
  EXPECT_FALSE(job.HasAvailable(clock_.Steady()));
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(job.HasAvailable(clock_.Steady()));
  EXPECT_FALSE(job.NextDue());
}

TEST_F(LiveJobTest, SparesTheWorkerThatHeldATaskLast) {
  LiveJob job = Make(2);
  MoveTo(job, 0, TaskState::kLeased, "a");
  MoveTo(job, 0, TaskState::kReady);
  EXPECT_EQ(job.FirstAvailable("a"), 1);
  EXPECT_EQ(job.FirstAvailable("b"), 0);
  EXPECT_EQ(job.FirstAvailable(""), 0);
}

TEST_F(LiveJobTest, KnowsWhoFailedATaskLastWhileAnotherHoldsIt) {
  LiveJob job = Make(1);
  EXPECT_EQ(job.FailedBy(0), "");
  MoveTo(job, 0, TaskState::kLeased, "a");
  EXPECT_EQ(job.FailedBy(0), "");
  MoveTo(job, 0, TaskState::kReady);
  EXPECT_EQ(job.FailedBy(0), "a");
  MoveTo(job, 0, TaskState::kLeased, "b");
  EXPECT_EQ(job.FailedBy(0), "a");
  EXPECT_EQ(job.RecordOf(0).worker, "b");
  MoveTo(job, 0, TaskState::kReady);
  EXPECT_EQ(job.FailedBy(0), "b");
}

TEST_F(LiveJobTest, ProgressCountsWhatRuns) {
  LiveJob job = Make(4);
  MoveTo(job, 0, TaskState::kLeased, "a");
  MoveTo(job, 0, TaskState::kDone);
  MoveTo(job, 1, TaskState::kLeased, "a");
  v1::TaskStatus status;
  status.set_iteration(5);
  status.set_iterations_total(10);
  status.mutable_objective()->set_value(12.5);
  status.mutable_objective()->set_residual_squares(3);
  const uint64_t before = job.version();
  job.Report(1, status);
  EXPECT_GT(job.version(), before);
  const v1::JobProgress progress = job.Progress();
  EXPECT_EQ(progress.tasks_done(), 1U);
  EXPECT_DOUBLE_EQ(progress.fraction(), 1.5 / 4);
  EXPECT_EQ(progress.iteration(), 5U);
  EXPECT_EQ(progress.objective().SerializeAsString(), status.objective().SerializeAsString());
  status.clear_objective();
  job.Report(1, status);
  EXPECT_FALSE(job.Progress().has_objective());
  EXPECT_EQ(progress.activity(), "frame 2 of 4");
}

TEST_F(LiveJobTest, AStepMovesATaskOnlyOnceAndLegally) {
  LiveJob job = Make(1);
  JobStep step(job, clock_.Wall());
  EXPECT_TRUE(absl::IsInternal(step.MoveTask(job.RecordOf(0), TaskState::kDone)));
  EXPECT_OK(step.MoveTask(job.RecordOf(0), TaskState::kLeased));
  EXPECT_TRUE(absl::IsInternal(step.MoveTask(job.RecordOf(0), TaskState::kCancelled)));
}

}  // namespace
}  // namespace deconvoy::server
