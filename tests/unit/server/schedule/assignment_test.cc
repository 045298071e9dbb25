// Which worker gets a task before it has done the one it has, and what becomes of tasks that were not begun.
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;

class AssignmentTest : public ::testing::Test {
 protected:
  // A job that has been analysed and has this many tiles to be given out.
  std::string SubmitTiles(int64_t tiles) {
    const std::string job = service_.Submit(service_.Deconvolve({1, 1, tiles, 4, 4}, {1, 4, 4}));
    EXPECT_OK(a_.Deliver(*a_.Take()));
    return job;
  }
  TaskRecord RecordOf(const v1::Task& task) {
    const TaskId id = ParseTaskName(task.name(), "").value();
    auto tasks = service_.store().GetTasks(id.job_id);
    EXPECT_OK(tasks);
    return (*tasks)[static_cast<size_t>(id.number)];
  }
  void ExpectReadyAndUncounted(const v1::Task& task) {
    EXPECT_EQ(RecordOf(task).state, TaskState::kReady);
    EXPECT_EQ(RecordOf(task).failures, 0);
    EXPECT_EQ(RecordOf(task).losses, 0);
    EXPECT_LE(RecordOf(task).not_before, service_.clock.Wall()) << "at once";
  }
  // What a worker that is busy with this task is given.
  std::vector<v1::Task> More(TestWorker& worker, const v1::Task& computing) {
    const auto response = worker.AskForMore({{computing, v1::COMPUTING}});
    EXPECT_OK(response);
    return {response->assigned().begin(), response->assigned().end()};
  }

  JobService service_;
  TestWorker a_{service_, "a"};
  TestWorker b_{service_, "b"};
};

TEST_F(AssignmentTest, AWorkerThatIsAloneGetsItsNextTaskWhileItComputes) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const std::vector<v1::Task> more = More(a_, first);
  ASSERT_EQ(more.size(), 1U);
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {more[0], v1::STAGED}}));
  EXPECT_TRUE(response.cancelled().empty());
}

TEST_F(AssignmentTest, ABusyWorkerGetsAFurtherTaskOnlyWhereOneStaysForEveryOther) {
  SubmitTiles(4);
  TestWorker c(service_, "c");
  ASSERT_OK(b_.Register());
  ASSERT_OK(c.Register());
  const v1::Task first = *a_.Take();
  EXPECT_EQ(More(a_, first).size(), 1U) << "of three, two stay for b and c";
  EXPECT_EQ(More(a_, first).size(), 0U);
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("c"), true));
  EXPECT_EQ(More(a_, first).size(), 1U) << "c takes nothing any more";
  service_.Advance(absl::Seconds(9));
  EXPECT_TRUE(a_.Continue(first));
  service_.Advance(absl::Seconds(1));
  EXPECT_EQ(More(a_, first).size(), 1U) << "b is lost";
}

TEST_F(AssignmentTest, TheLastTasksAreSpread) {
  SubmitTiles(3);
  ASSERT_OK(b_.Register());
  const v1::Task of_a = *a_.Take(), of_b = *b_.Take();
  EXPECT_TRUE(More(a_, of_a).empty());
  EXPECT_TRUE(More(b_, of_b).empty());
  ASSERT_OK_AND_ASSIGN(const auto response, b_.AskForMore({{of_b, v1::DELIVERING}}));
  EXPECT_EQ(response.assigned_size(), 1) << "the first that has nothing to compute gets it";
}

// It keeps a task ready that a worker of less memory could not have taken anyway.
TEST_F(AssignmentTest, OthersCountOnlyWhereTheTaskSuitsThem) {
  b_.registration.set_backend("cuda");
  ASSERT_OK(b_.Register());
  service_.Submit(service_.Simulate());
  v1::JobSpec spec = service_.Deconvolve({1, 1, 2, 4, 4}, {1, 4, 4});
  spec.mutable_deconvolve()->set_backend("cpu");
  service_.Submit(spec);
  const v1::Task simulation = *a_.Take();
  EXPECT_EQ(More(a_, simulation).size(), 1U) << "b computes on another backend";
}

TEST_F(AssignmentTest, ATaskThatWasNotBegunGoesToAWorkerThatHasNothingToDo) {
  const std::string job = SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  const std::optional<v1::Task> taken = b_.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->name(), staged.name());
  EXPECT_GT(taken->token(), staged.token());
  EXPECT_EQ(RecordOf(staged).losses, 0);
  EXPECT_EQ(RecordOf(staged).failures, 0);
  ASSERT_OK_AND_ASSIGN(const auto told, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::COMPUTING}}));
  EXPECT_THAT(told.cancelled(), ElementsAre(staged.name())) << "even if it has been begun since";
  EXPECT_EQ(ReasonOf(a_.Deliver(staged)), v1::STALE_LEASE);
  TestWorker c(service_, "c");
  EXPECT_FALSE(c.Take()) << "what is computed stays where it is";
  EXPECT_OK(a_.Deliver(first));
  EXPECT_OK(b_.Deliver(*taken));
  service_.CheckResult(service_.Get(job));
}

// The worker may have loaded the other one already.
TEST_F(AssignmentTest, OfTwoTasksThatWereNotBegunTheLastOneGoes) {
  SubmitTiles(3);
  const v1::Task first = *a_.Take();
  const v1::Task second = More(a_, first).at(0);
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {second, v1::STAGED}}));
  ASSERT_EQ(response.assigned_size(), 1);
  const std::optional<v1::Task> taken = b_.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->name(), response.assigned(0).name());
}

TEST_F(AssignmentTest, OfTwoWorkersTasksThatWereNotBegunTheOlderOneGoes) {
  SubmitTiles(6);
  const v1::Task of_a = *a_.Take(), staged = More(a_, of_a).at(0);
  const v1::Task of_b = *b_.Take(), later = More(b_, of_b).at(0);
  TestWorker c(service_, "c"), d(service_, "d"), e(service_, "e");
  ASSERT_TRUE(d.Take());
  ASSERT_TRUE(e.Take()) << "all are given out";
  const std::optional<v1::Task> taken = c.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->name(), staged.name());
  ASSERT_OK_AND_ASSIGN(const auto told, b_.AskForMore({{of_b, v1::COMPUTING}, {later, v1::STAGED}}));
  EXPECT_TRUE(told.cancelled().empty());
}

TEST_F(AssignmentTest, ATaskIsNotTakenByTheWorkerThatFailedItLast) {
  SubmitTiles(3);
  const v1::Task failed = *a_.Take();
  a_.GiveUp(failed, absl::InternalError("it went wrong"));
  const v1::Task of_b = *b_.Take();
  service_.Advance(absl::Seconds(2));
  ASSERT_TRUE(b_.Continue(of_b));
  const v1::Task staged = More(b_, of_b).at(0);
  ASSERT_EQ(staged.name(), failed.name());
  EXPECT_OK(a_.Deliver(*a_.Take()));
  EXPECT_FALSE(a_.Take()) << "b holds it, and has not failed it";
  ASSERT_OK_AND_ASSIGN(const auto told, b_.AskForMore({{of_b, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_TRUE(told.cancelled().empty());
  TestWorker c(service_, "c");
  const std::optional<v1::Task> taken = c.Take();
  ASSERT_TRUE(taken) << "c may take it";
  EXPECT_EQ(taken->name(), failed.name());
}

TEST_F(AssignmentTest, WhatWasNotBegunIsStillSparedTheWorkerThatFailedItLast) {
  SubmitTiles(3);
  const v1::Task failed = *a_.Take();
  a_.GiveUp(failed, absl::InternalError("it went wrong"));
  const v1::Task of_b = *b_.Take();
  service_.Advance(absl::Seconds(2));
  ASSERT_TRUE(b_.Continue(of_b));
  ASSERT_EQ(More(b_, of_b).at(0).name(), failed.name());
  EXPECT_OK(a_.Deliver(*a_.Take()));
  TestWorker c(service_, "c");
  ASSERT_OK(c.Register());
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("b"), true));
  EXPECT_EQ(RecordOf(failed).state, TaskState::kReady);
  EXPECT_FALSE(a_.Take()) << "it is left for c";
  const std::optional<v1::Task> taken = c.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->name(), failed.name());
}

TEST_F(AssignmentTest, ATaskIsNotTakenByAWorkerThatCannotComputeIt) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  b_.registration.mutable_methods(0)->set_name("other");
  EXPECT_FALSE(b_.Take());
  EXPECT_TRUE(a_.Continue(staged));
}

TEST_F(AssignmentTest, WhatADrainingWorkerGivesBackUnbegunCountsForNothing) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  v1::SynchronizeRequest request;
  v1::TaskStatus& status = *request.add_tasks();
  status.set_task(staged.name());
  status.set_token(staged.token());
  status.set_stage(v1::STAGED);
  *status.mutable_error() = ToStored(MakeError({.reason = v1::SHUTTING_DOWN}, "the worker is ending"));
  status.set_retry_elsewhere(true);
  request.set_draining(true);
  ASSERT_OK(a_.Call(request));
  ExpectReadyAndUncounted(staged);
  EXPECT_EQ(service_.dispatcher().Workers()[0].tasks_failed(), 0U);
  EXPECT_TRUE(b_.Take());
}

TEST_F(AssignmentTest, TasksAreShownToTheirOwner) {
  SubmitTiles(1);
  ASSERT_TRUE(a_.Take());
  for (const auto& [owner, tasks] : {std::pair("", 1), std::pair("local", 1), std::pair("other", 0)}) {
    const std::vector<v1::Worker> workers = service_.dispatcher().Workers(owner);
    ASSERT_EQ(workers.size(), 1U);
    EXPECT_EQ(workers[0].state(), v1::BUSY) << owner;
    EXPECT_EQ(workers[0].tasks_size(), tasks) << owner;
  }
}

TEST_F(AssignmentTest, AWorkerThatIsDrainedLosesWhatItHasNotBegun) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("a"), true));
  ExpectReadyAndUncounted(staged);
  EXPECT_FALSE(a_.Continue(staged));
  EXPECT_TRUE(a_.Continue(first));
}

TEST_F(AssignmentTest, AServerThatDrainsDoesNotWaitForWhatIsNotBegun) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  service_.dispatcher().Drain();
  ExpectReadyAndUncounted(staged);
  EXPECT_TRUE(a_.Continue(first));
  EXPECT_OK(a_.Deliver(first));
  EXPECT_TRUE(service_.dispatcher().WaitIdle(absl::ZeroDuration()));
}

TEST_F(AssignmentTest, ACrashDoesNotCountAgainstWhatWasNotBegun) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = More(a_, first)[0];
  service_.dispatcher().WorkerExited(100, true);
  EXPECT_EQ(RecordOf(first).failures, 1);
  EXPECT_EQ(RecordOf(staged).failures, 0);
  EXPECT_EQ(RecordOf(staged).losses, 1);
  EXPECT_EQ(RecordOf(staged).state, TaskState::kReady);
}

TEST_F(AssignmentTest, ProgressIsThatOfWhatIsComputed) {
  const std::string job = SubmitTiles(2);
  const v1::Task first = *a_.Take();
  ASSERT_TRUE(a_.Continue(first, 7));
  const v1::Task staged = More(a_, first)[0];
  ASSERT_TRUE(a_.Continue(first, 7));
  ASSERT_OK(a_.AskForMore({{staged, v1::STAGED}}));
  EXPECT_EQ(service_.Get(job).progress().iteration(), 7U);
  EXPECT_EQ(service_.Get(job).progress().activity(), "tile 1 of 2");
}

}  // namespace
}  // namespace deconvoy::server
