// What every store promises about jobs, tasks and events, and about what a killed process had been told.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreJobsTest : public StoreContractTest {
 protected:
  static std::string ResultOf(const std::string& job_id) { return fmt::format("result-of-{}", job_id); }

  // A job of `tasks` tasks with an output volume and a first event.
  static JobChange FirstChange(const std::string& id, int64_t tasks, int64_t second = 0) {
    JobChange change{.job = MakeJob(id, second)};
    for (int64_t i = 0; i < tasks; ++i) change.new_tasks.push_back(MakeTask(id, i));
    change.events.push_back(StateEvent(v1::PENDING));
    change.new_volumes.push_back(MakeVolume(ResultOf(id), second));
    change.job.job.add_outputs()->set_volume(VolumeName(ResultOf(id)));
    return change;
  }

  std::vector<std::string> Ids(const std::vector<JobRecord>& jobs) {
    std::vector<std::string> ids;
    for (const JobRecord& job : jobs) ids.push_back(job.id);
    return ids;
  }

  absl::Status SetState(const std::string& id, v1::JobState state) {
    auto job = store_->GetJob(id);
    if (!job.ok()) return job.status();
    job->state = state;
    return store_->Apply({.job = *job});
  }
};

TEST_P(StoreJobsTest, JobComesBackWithWhatIsFilledOnReading) {
  JobChange change = FirstChange("j1", 2, 7);
  change.job.plan = std::string("a\0plan", 6);
  change.job.job.mutable_start_time()->set_seconds(12);
  change.events.push_back(StateEvent(v1::RUNNING));
  change.job.state = v1::RUNNING;
  ASSERT_OK(store_->InsertJob(change, "request-1", "digest"));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const JobRecord job, store_->GetJob("j1"));
  EXPECT_EQ(job.owner, "local");
  EXPECT_EQ(job.state, v1::RUNNING);
  EXPECT_EQ(job.create_time, At(7));
  EXPECT_EQ(job.plan, change.job.plan);
  EXPECT_EQ(job.job.name(), "jobs/j1");
  EXPECT_EQ(job.job.state(), v1::RUNNING);
  EXPECT_EQ(job.job.create_time().seconds(), absl::ToUnixSeconds(At(7)));
  EXPECT_EQ(job.job.start_time().seconds(), 12);
  EXPECT_EQ(job.job.last_sequence(), 2u);
  EXPECT_EQ(job.job.spec().display_name(), "job j1");
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->resource_id, "j1");
}

TEST_P(StoreJobsTest, TasksComeBackAsTheyWere) {
  JobChange change = FirstChange("j1", 3);
  const TaskRecord task{.job_id = "j1",
                        .number = 1,
                        .kind = TaskKind::kAnalyse,
                        .state = TaskState::kLeased,
                        .t = 2,
                        .c = 3,
                        .tile = 4,
                        .token = 5,
                        .worker = "w6",
                        .failures = 7,
                        .losses = 8,
                        .not_before = At(9)};
  ASSERT_OK(store_->InsertJob(change, "", ""));
  change.new_tasks.clear();
  change.new_volumes.clear();
  change.changed_tasks = {task};
  ASSERT_OK(store_->Apply(change));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto tasks, store_->GetTasks("j1"));
  ASSERT_THAT(tasks, SizeIs(3));
  EXPECT_EQ(tasks[0].number, 0);
  EXPECT_EQ(tasks[0].state, TaskState::kReady);
  EXPECT_EQ(tasks[1].job_id, "j1");
  EXPECT_EQ(tasks[1].kind, task.kind);
  EXPECT_EQ(tasks[1].state, task.state);
  EXPECT_EQ(tasks[1].t, task.t);
  EXPECT_EQ(tasks[1].c, task.c);
  EXPECT_EQ(tasks[1].tile, task.tile);
  EXPECT_EQ(tasks[1].token, task.token);
  EXPECT_EQ(tasks[1].worker, task.worker);
  EXPECT_EQ(tasks[1].failures, task.failures);
  EXPECT_EQ(tasks[1].losses, task.losses);
  EXPECT_EQ(tasks[1].not_before, task.not_before);
  EXPECT_EQ(tasks[2].number, 2);
}

TEST_P(StoreJobsTest, AnImportedVolumeIsAnUploadOfItsDigestFromItsEndOn) {
  const std::string digest(32, 'd');
  JobChange first = FirstChange("j1", 1);
  first.new_volumes[0].spec.set_digest(digest);
  ASSERT_OK(store_->InsertJob(first, "request-1", "digest"));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord before, store_->GetVolume(ResultOf("j1")));
  EXPECT_TRUE(before.job_output);
  EXPECT_EQ(before.spec.digest(), "") << "its bytes are not there yet";
  ASSERT_OK_AND_ASSIGN(const auto unfinished, store_->FindUnfinishedUpload("local", digest));
  EXPECT_FALSE(unfinished.has_value()) << "nobody else may go on with it";
  JobChange last{.job = MakeJob("j1")};
  last.job.state = v1::SUCCEEDED;
  last.imported = {.volume_id = ResultOf("j1"), .digest = digest};
  ASSERT_OK(store_->Apply(last));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const VolumeRecord after, store_->GetVolume(ResultOf("j1")));
  EXPECT_EQ(after.state, v1::COMPLETE);
  EXPECT_FALSE(after.job_output);
  EXPECT_EQ(after.spec.digest(), digest);
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindVolumeByDigest("local", digest));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, ResultOf("j1"));
}

TEST_P(StoreJobsTest, UnknownJobIsNotFound) {
  EXPECT_EQ(ReasonOf(store_->GetJob("j1").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetTasks("j1").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetEvents("j1", 0, 10).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->Apply({.job = MakeJob("j1")})), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeleteJob("j1")), v1::NOT_FOUND);
}

TEST_P(StoreJobsTest, RefusedJobLeavesNothing) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 1), "request-1", "digest"));
  EXPECT_EQ(ReasonOf(store_->InsertJob(FirstChange("j2", 1), "request-1", "other")), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(ReasonOf(store_->GetJob("j2").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetVolume("result-of-j2").status()), v1::NOT_FOUND);
}

TEST_P(StoreJobsTest, JobWhoseInputHasGoneIsNotFound) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("image"), "", ""));
  JobChange change = FirstChange("j1", 1);
  change.job.job.mutable_spec()->mutable_deconvolve()->set_input_volume("volumes/image");
  change.job.job.mutable_spec()->mutable_deconvolve()->set_psf_volume("volumes/psf");
  const absl::Status refused = store_->InsertJob(change, "", "");
  EXPECT_EQ(ReasonOf(refused), v1::NOT_FOUND);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("volumes/psf"));
  ASSERT_OK(store_->InsertVolume(MakeVolume("psf"), "", ""));
  EXPECT_OK(store_->InsertJob(change, "", ""));
}

TEST_P(StoreJobsTest, OneStepIsAllOrNothing) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 1), "", ""));
  JobChange change{.job = MakeJob("j1")};
  change.job.state = v1::RUNNING;
  change.events.push_back(StateEvent(v1::RUNNING));
  change.committed.push_back({"result-of-j1", {Rows(0, 0, 0, 0, 1, 1)}});
  change.new_tasks.push_back(MakeTask("j1", 1));
  change.changed_tasks.push_back(MakeTask("j1", 99));  // there is no such task
  EXPECT_EQ(ReasonOf(store_->Apply(change)), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const JobRecord job, store_->GetJob("j1"));
  EXPECT_EQ(job.state, v1::PENDING);
  EXPECT_EQ(job.job.last_sequence(), 1u);
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("result-of-j1"));
  EXPECT_EQ(volume.committed_bytes, 0);
  ASSERT_OK_AND_ASSIGN(const auto tasks, store_->GetTasks("j1"));
  EXPECT_THAT(tasks, SizeIs(1));
}

TEST_P(StoreJobsTest, ResultsAreCommittedCompletedAndDeletedWithTheStep) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 1), "", ""));
  JobChange change{.job = MakeJob("j1")};
  change.committed.push_back({"result-of-j1", {Rows(0, 0, 0, 0, 1, 1), Rows(1, 1, 0, 0, 1, 2)}});
  change.completed_volumes.push_back("result-of-j1");
  ASSERT_OK(store_->Apply(change));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("result-of-j1"));
  EXPECT_EQ(volume.state, v1::COMPLETE);
  EXPECT_TRUE(volume.job_output);
  EXPECT_EQ(volume.committed_bytes, 2 * 16 * 2);
  ASSERT_OK(store_->Apply({.job = MakeJob("j1"), .deleted_volumes = {"result-of-j1"}}));
  EXPECT_EQ(ReasonOf(store_->GetVolume("result-of-j1").status()), v1::NOT_FOUND);
}

TEST_P(StoreJobsTest, ResultNeverAnswersForADigest) {
  JobChange change = FirstChange("j1", 1);
  change.new_volumes[0].spec.set_digest("of the input");
  ASSERT_OK(store_->InsertJob(change, "", ""));
  ASSERT_OK(store_->Apply({.job = MakeJob("j1"), .completed_volumes = {"result-of-j1"}}));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindVolumeByDigest("local", "of the input"));
  EXPECT_FALSE(found.has_value());
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("result-of-j1"));
  EXPECT_EQ(volume.spec.digest(), "");
}

TEST_P(StoreJobsTest, EventsAreNumberedOnAndReplayed) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 1), "", ""));
  ASSERT_OK(store_->InsertJob(FirstChange("j2", 1), "", ""));
  JobChange change{.job = MakeJob("j1"), .events = {StateEvent(v1::RUNNING), StateEvent(v1::PAUSED)}};
  ASSERT_OK(store_->Apply(change));
  Reopen();
  change.events = {StateEvent(v1::RUNNING)};
  ASSERT_OK(store_->Apply(change));
  ASSERT_OK_AND_ASSIGN(const auto all, store_->GetEvents("j1", 0, 100));
  ASSERT_EQ(all.size(), 4u);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].sequence(), i + 1);
  EXPECT_EQ(all[2].state(), v1::PAUSED);
  ASSERT_OK_AND_ASSIGN(const auto some, store_->GetEvents("j1", 1, 2));
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[0].sequence(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto none, store_->GetEvents("j1", ~uint64_t{0}, 100));
  EXPECT_TRUE(none.empty());
  ASSERT_OK_AND_ASSIGN(const JobRecord other, store_->GetJob("j2"));
  EXPECT_EQ(other.job.last_sequence(), 1u);
}

TEST_P(StoreJobsTest, EndedEventCarriesItsOwnNumber) {
  JobChange change = FirstChange("j1", 1);
  v1::JobEvent ended;
  ended.mutable_ended()->set_state(v1::SUCCEEDED);
  change.events.push_back(ended);
  ASSERT_OK(store_->InsertJob(change, "", ""));
  ASSERT_OK_AND_ASSIGN(const auto events, store_->GetEvents("j1", 1, 100));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ended().last_sequence(), 2u);
}

TEST_P(StoreJobsTest, UnfinishedJobsComeOldestFirst) {
  ASSERT_OK(store_->InsertJob(FirstChange("young", 1, 30), "", ""));
  ASSERT_OK(store_->InsertJob(FirstChange("old", 1, 10), "", ""));
  ASSERT_OK(store_->InsertJob(FirstChange("middle", 1, 20), "", ""));
  ASSERT_OK(SetState("old", v1::PAUSED));
  ASSERT_OK_AND_ASSIGN(auto jobs, store_->UnfinishedJobs());
  EXPECT_THAT(Ids(jobs), ElementsAre("old", "middle", "young"));
  ASSERT_OK(SetState("old", v1::FAILED));
  ASSERT_OK(SetState("young", v1::CANCELLED));
  ASSERT_OK_AND_ASSIGN(jobs, store_->UnfinishedJobs());
  EXPECT_THAT(Ids(jobs), ElementsAre("middle"));
  ASSERT_OK(SetState("middle", v1::SUCCEEDED));
  ASSERT_OK_AND_ASSIGN(jobs, store_->UnfinishedJobs());
  EXPECT_THAT(jobs, IsEmpty());
}

TEST_P(StoreJobsTest, ListPagesAndFilters) {
  for (int i = 0; i < 5; ++i) ASSERT_OK(store_->InsertJob(FirstChange(fmt::format("j{}", i), 1, i), "", ""));
  ASSERT_OK(SetState("j3", v1::SUCCEEDED));
  ASSERT_OK_AND_ASSIGN(const auto all, store_->ListJobs("local", 0, "", false));
  EXPECT_THAT(Ids(all.items), ElementsAre("j4", "j3", "j2", "j1", "j0"));
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListJobs("local", 2, "", true));
  EXPECT_THAT(Ids(first.items), ElementsAre("j4", "j2"));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListJobs("local", 2, first.next_token, true));
  EXPECT_THAT(Ids(second.items), ElementsAre("j1", "j0"));
  EXPECT_EQ(second.next_token, "");
  ASSERT_OK_AND_ASSIGN(const auto foreign, store_->ListJobs("other", 0, "", false));
  EXPECT_THAT(foreign.items, IsEmpty());
}

TEST_P(StoreJobsTest, LargeJobsMakeShorterPages) {
  for (int i = 0; i < 5; ++i) {
    JobChange change = FirstChange(fmt::format("j{}", i), 1, i);
    change.job.job.set_worker_log(std::string(limits::kPageBytes / 3, 'x'));
    change.job.plan = std::string(limits::kPageBytes, 'x');  // is not listed
    ASSERT_OK(store_->InsertJob(change, "", ""));
  }
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListJobs("local", 1000, "", false));
  EXPECT_THAT(Ids(first.items), ElementsAre("j4", "j3"));
  EXPECT_EQ(first.items[0].plan, "");
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListJobs("local", 1000, first.next_token, true));
  EXPECT_THAT(Ids(second.items), ElementsAre("j2", "j1"));
  ASSERT_OK_AND_ASSIGN(const auto third, store_->ListJobs("local", 1000, second.next_token, true));
  EXPECT_THAT(Ids(third.items), ElementsAre("j0"));
  EXPECT_EQ(third.next_token, "");
}

TEST_P(StoreJobsTest, VolumesOfUnfinishedJobsCannotBeDeleted) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("image"), "", ""));
  JobChange change = FirstChange("j1", 1);
  change.job.job.mutable_spec()->mutable_project()->set_input_volume("volumes/image");
  ASSERT_OK(store_->InsertJob(change, "", ""));
  for (const std::string id : {"image", "result-of-j1"}) {
    ASSERT_OK_AND_ASSIGN(const auto jobs, store_->JobsUsing(id));
    EXPECT_THAT(jobs, ElementsAre("j1"));
    const absl::Status refused = store_->DeleteVolume(id);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(refused), v1::VOLUME_IN_USE);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("jobs/j1"));
  }
  ASSERT_OK(SetState("j1", v1::CANCELLED));
  for (const std::string id : {"image", "result-of-j1"}) {
    ASSERT_OK_AND_ASSIGN(const auto jobs, store_->JobsUsing(id));
    EXPECT_THAT(jobs, IsEmpty());
    EXPECT_OK(store_->DeleteVolume(id));
  }
}

TEST_P(StoreJobsTest, DeletingTakesTasksEventsAndRequestAlong) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 5), "request-1", "digest"));
  ASSERT_OK(store_->DeleteJob("j1"));
  EXPECT_EQ(ReasonOf(store_->GetJob("j1").status()), v1::NOT_FOUND);
  EXPECT_OK(store_->GetVolume("result-of-j1"));
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
  EXPECT_FALSE(request.has_value());
  JobChange again = FirstChange("j1", 0);
  again.new_volumes.clear();
  again.events.clear();
  ASSERT_OK(store_->InsertJob(again, "", ""));
  ASSERT_OK_AND_ASSIGN(const auto tasks, store_->GetTasks("j1"));
  EXPECT_THAT(tasks, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const auto events, store_->GetEvents("j1", 0, 10));
  EXPECT_TRUE(events.empty());
}

// A cost that grows with what is there already runs into the test's limit of time.
TEST_P(StoreJobsTest, AHundredThousandTasks) {
  ASSERT_OK(store_->InsertJob(FirstChange("j1", 100'000), "", ""));
  for (int64_t i = 0; i < 100; ++i) {
    JobChange change{.job = MakeJob("j1"), .changed_tasks = {MakeTask("j1", i * 999)}};
    change.changed_tasks[0].state = TaskState::kDone;
    ASSERT_OK(store_->Apply(change));
  }
  ASSERT_OK_AND_ASSIGN(const auto tasks, store_->GetTasks("j1"));
  ASSERT_THAT(tasks, SizeIs(100'000));
  EXPECT_EQ(tasks[99 * 999].state, TaskState::kDone);
}

// The child says which step it has been told to be durable; then it is killed.
TEST_P(StoreJobsTest, WhatAKilledProcessWasToldIsThere) {
  store_.reset();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = GetParam().open(folder_.path());
    if (!store.ok() || !(*store)->InsertJob(FirstChange("j1", 0), "", "").ok()) _exit(1);
    for (int64_t i = 0;; ++i) {
      JobChange change{.job = MakeJob("j1"), .new_tasks = {MakeTask("j1", i)}, .events = {StateEvent(v1::RUNNING)}};
      if (!(*store)->Apply(change).ok()) _exit(1);
      if (write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
    }
  }
  close(pipe_ends[1]);
  int64_t told = -1;
  while (told < 20 && read(pipe_ends[0], &told, sizeof(told)) == sizeof(told)) continue;
  kill(child, SIGKILL);
  int64_t next = 0;
  while (read(pipe_ends[0], &next, sizeof(next)) == sizeof(next)) told = next;
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";

  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto tasks, store_->GetTasks("j1"));
  EXPECT_GE(static_cast<int64_t>(tasks.size()), told + 1);
  ASSERT_OK_AND_ASSIGN(const auto events, store_->GetEvents("j1", 0, 1'000'000));
  EXPECT_EQ(events.size(), tasks.size() + 1) << "half of a step is visible";
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreJobsTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
