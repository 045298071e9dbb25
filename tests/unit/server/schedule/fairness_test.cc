// Whose task the dispatcher gives out, what is charged for it, and what a pause keeps back.
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FairnessTest : public ::testing::Test {
 protected:
  // A job of one task; returns its id.
  static std::string Simulate(JobService& service, const std::string& owner, v1::JobClass job_class = v1::NORMAL,
                              int extent = 8) {
    static int requests = 0;
    service.clock.Advance(std::chrono::milliseconds(1));  // jobs come one after the other
    v1::SubmitJobRequest request;
    request.set_request_id("fair" + std::to_string(++requests));
    *request.mutable_spec() = service.Simulate(extent);
    request.mutable_spec()->set_job_class(job_class);
    const auto job = service.jobs().Submit(owner, request);
    EXPECT_OK(job);
    return job.ok() ? JobId(job->name(), "").value() : "";
  }
  std::string Simulate(const std::string& owner, v1::JobClass job_class = v1::NORMAL, int extent = 8) {
    return Simulate(service_, owner, job_class, extent);
  }
  // A job of the usual owner that has been analysed and has this many tiles to be given out.
  std::string SubmitTiles(int64_t tiles, v1::JobClass job_class = v1::NORMAL,
                          absl::Duration analysis = absl::ZeroDuration()) {
    v1::JobSpec spec = service_.Deconvolve({1, 1, tiles, 4, 4}, {1, 4, 4});
    spec.set_job_class(job_class);
    const std::string job = service_.Submit(spec);
    Compute(a_, *a_.Take(), analysis);
    return job;
  }
  void Compute(TestWorker& worker, const v1::Task& task, absl::Duration time) {
    service_.Advance(time);
    EXPECT_OK(worker.Deliver(task));
  }
  static std::string JobOf(const v1::Task& task) { return ParseTaskName(task.name(), "").value().job_id; }
  // The job whose task the worker is given; empty where there is none.
  static std::string Next(TestWorker& worker) {
    const std::optional<v1::Task> task = worker.Take();
    return task ? JobOf(*task) : "";
  }
  // The worker's task while it computes one: staged.
  static v1::Task Staged(TestWorker& worker, const v1::Task& computing) {
    const auto response = worker.AskForMore({{computing, v1::COMPUTING}});
    EXPECT_OK(response);
    EXPECT_EQ(response->assigned_size(), 1);
    return response->assigned_size() == 1 ? response->assigned(0) : v1::Task();
  }
  static Dispatcher::Options Capped(int64_t tasks) {
    Dispatcher::Options options = JobService::DefaultOptions();
    options.shares.running_cap = tasks;
    return options;
  }

  JobService service_;
  TestWorker a_{service_, "a"};
  TestWorker b_{service_, "b"};
};

TEST_F(FairnessTest, WhoHasSpentLeastIsServedFirst) {
  const std::string first = Simulate("u"), second = Simulate("u"), other = Simulate("v");
  const v1::Task task = *a_.Take();
  EXPECT_EQ(JobOf(task), first);
  Compute(a_, task, absl::Seconds(5));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 5, 0.01);
  EXPECT_EQ(Next(a_), other);
  EXPECT_EQ(Next(a_), second);
}

TEST_F(FairnessTest, WhatRunsIsChargedWhileItRuns) {
  Simulate("u");
  const std::string second = Simulate("u"), other = Simulate("v");
  const v1::Task task = *a_.Take();
  service_.Advance(absl::Seconds(8));
  ASSERT_TRUE(a_.Continue(task));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 8, 0.01);
  EXPECT_EQ(Next(b_), other);
  EXPECT_EQ(Next(b_), second);
}

TEST_F(FairnessTest, WhatWaitsAtItsWorkerOrIsDeliveredCostsNothing) {
  SubmitTiles(2);
  const v1::Task first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  service_.Advance(absl::Seconds(5));
  ASSERT_OK(a_.AskForMore({{first, v1::DELIVERING}, {staged, v1::STAGED}}));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 5, 0.01);
  service_.Advance(absl::Seconds(5));
  ASSERT_OK(a_.AskForMore({{first, v1::DELIVERING}, {staged, v1::COMPUTING}}));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 5, 0.01);
  service_.Advance(absl::Seconds(5));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 10, 0.01);
  EXPECT_OK(a_.Deliver(first));
  EXPECT_OK(a_.Deliver(staged));
  service_.Advance(absl::Seconds(5));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 10, 0.01);
}

// A worker that had nothing to do may still have to bring out the result before it.
TEST_F(FairnessTest, WhatIsGivenToAnIdleWorkerAndWaitsThereCostsNothing) {
  SubmitTiles(1);
  const v1::Task given = *a_.Take();
  ASSERT_OK(a_.AskForMore({{given, v1::STAGED}}));
  service_.Advance(absl::Seconds(5));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 0, 0.01);
  ASSERT_OK(a_.AskForMore({{given, v1::COMPUTING}}));
  service_.Advance(absl::Seconds(5));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("local"), 5, 0.01);
}

TEST_F(FairnessTest, ALostLeaseIsChargedUntilItIsLost) {
  Simulate("u");
  ASSERT_TRUE(a_.Take());
  service_.Advance(absl::Seconds(10));
  service_.Advance(absl::Seconds(100));
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 10, 0.1);
  ASSERT_OK_AND_ASSIGN(const auto usage, service_.store().ListUsage("", ""));
  EXPECT_THAT(usage, IsEmpty()) << "nothing was committed";
}

TEST_F(FairnessTest, MoreUrgentClassesAreServedFirst) {
  const std::string batch = Simulate("u", v1::BATCH), normal = Simulate("u", v1::JOB_CLASS_UNSPECIFIED),
                    interactive = Simulate("u", v1::INTERACTIVE);
  EXPECT_EQ(Next(a_), interactive);
  EXPECT_EQ(Next(a_), normal);
  EXPECT_EQ(Next(a_), batch);
}

TEST_F(FairnessTest, WhatIsNotBegunYieldsToAnInteractiveJob) {
  SubmitTiles(20, v1::BATCH);
  const v1::Task first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  const std::string preview = Simulate("u", v1::INTERACTIVE);
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_THAT(response.cancelled(), ElementsAre(staged.name()));
  ASSERT_EQ(response.assigned_size(), 1);
  EXPECT_EQ(JobOf(response.assigned(0)), preview);
  ASSERT_OK_AND_ASSIGN(const auto again, a_.AskForMore({{first, v1::COMPUTING}, {response.assigned(0), v1::STAGED}}));
  EXPECT_THAT(again.cancelled(), IsEmpty());
}

TEST_F(FairnessTest, AWorkerWithoutAFreeSlotCallsAgainAtOnceForTheInteractiveJob) {
  SubmitTiles(20, v1::BATCH);
  ASSERT_OK(b_.Register());
  const v1::Task of_b = *b_.Take(), first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  const std::string preview = Simulate("u", v1::INTERACTIVE);
  v1::SynchronizeRequest request;
  for (const auto& [task, stage] : {std::pair(first, v1::COMPUTING), std::pair(staged, v1::STAGED)}) {
    v1::TaskStatus& status = *request.add_tasks();
    status.set_task(task.name());
    status.set_token(task.token());
    status.set_stage(stage);
  }
  ASSERT_OK_AND_ASSIGN(const auto response, a_.Call(request));
  EXPECT_THAT(response.cancelled(), ElementsAre(staged.name()));
  EXPECT_EQ(response.next_call_ms(), 0U);
  EXPECT_EQ(JobOf(Staged(a_, first)), preview);
}

TEST_F(FairnessTest, AWorkerThatIsFreeTakesAnInteractiveTaskThatWaitsAtAnother) {
  SubmitTiles(20, v1::BATCH);
  const v1::Task first = *a_.Take();
  const std::string preview = Simulate("u", v1::INTERACTIVE);
  const v1::Task staged = Staged(a_, first);
  ASSERT_EQ(JobOf(staged), preview);
  EXPECT_EQ(Next(b_), preview) << "although batch tasks wait";
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_THAT(response.cancelled(), ElementsAre(staged.name()));
}

TEST_F(FairnessTest, WhatIsNotBegunStaysWhereNothingMoreUrgentWaits) {
  SubmitTiles(20);
  const v1::Task first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  Simulate("u", v1::NORMAL);
  Simulate("u", v1::BATCH);
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_THAT(response.cancelled(), IsEmpty());
}

TEST_F(FairnessTest, NobodyHoldsMoreTasksThanAllowed) {
  JobService service(Capped(2));
  TestWorker worker(service, "w");
  for (int i = 0; i < 4; ++i) Simulate(service, "u");
  const std::string other = Simulate(service, "v");
  const v1::Task first = *worker.Take();
  EXPECT_NE(JobOf(first), other);
  EXPECT_EQ(Next(worker), other);
  EXPECT_TRUE(worker.Take());
  EXPECT_FALSE(worker.Take()) << "u holds two";
  EXPECT_OK(worker.Deliver(first));
  EXPECT_TRUE(worker.Take());
  EXPECT_FALSE(worker.Take());
}

TEST_F(FairnessTest, AWorkerStaysWithItsJobAmongEquals) {
  const std::string tiles = SubmitTiles(8, v1::NORMAL, absl::Seconds(5));
  const std::string of_v = Simulate("v");
  const v1::Task simulation = *b_.Take(), tile = *a_.Take();
  ASSERT_EQ(JobOf(simulation), of_v);
  ASSERT_EQ(JobOf(tile), tiles);
  service_.Advance(absl::Seconds(6));
  EXPECT_OK(b_.Deliver(simulation));
  EXPECT_OK(a_.Deliver(tile));
  // One has spent 11 s, v 6 s, and their tasks took a little more than 5 s.
  const std::string more_of_v = Simulate("v");
  EXPECT_EQ(Next(a_), tiles);
  EXPECT_EQ(Next(b_), more_of_v);
}

TEST_F(FairnessTest, ALargeWorkerLeavesSmallTasksToOthersWhileALargeOneWaits) {
  b_.registration.set_memory_budget_bytes(1 << 20);
  ASSERT_OK(a_.Register());
  ASSERT_OK(b_.Register());
  const std::string small = Simulate("u"), large = Simulate("u", v1::NORMAL, 128);
  EXPECT_EQ(Next(a_), large);
  EXPECT_EQ(Next(b_), small);
}

TEST_F(FairnessTest, ALargeWorkerTakesSmallTasksInOrderWhereNobodyElseWould) {
  b_.registration.set_memory_budget_bytes(1 << 20);
  ASSERT_OK(a_.Register());
  ASSERT_OK(b_.Register());
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("b"), true));
  const std::string small = Simulate("u"), large = Simulate("u", v1::NORMAL, 128);
  EXPECT_EQ(Next(a_), small);
  EXPECT_EQ(Next(a_), large);
}

// --- Usage ---

TEST_F(FairnessTest, UsageIsKeptWithTheTaskThatItIsFor) {
  Simulate("u");
  Simulate("u");
  Compute(a_, *a_.Take(), absl::Seconds(7));
  Compute(a_, *a_.Take(), absl::Seconds(2));
  ASSERT_OK_AND_ASSIGN(const auto usage, service_.store().ListUsage("", ""));
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].owner, "u");
  EXPECT_EQ(usage[0].month, MonthOf(service_.clock.Wall()));
  EXPECT_EQ(usage[0].worker_ms, 9000);
  EXPECT_EQ(usage[0].tasks, 2);
}

TEST_F(FairnessTest, SharesSurviveARestart) {
  const std::string first = Simulate("u");
  Compute(a_, *a_.Take(), absl::Seconds(9));
  service_.Reopen();
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 9, 0.01);
  Simulate("u");
  const std::string other = Simulate("v");
  EXPECT_EQ(Next(a_), other);
}

TEST_F(FairnessTest, SettingTheClockChangesNothing) {
  Simulate("u");
  const v1::Task task = *a_.Take();
  service_.Advance(absl::Seconds(5));
  for (const int hours : {24, -48}) {
    service_.clock.SetWall(std::chrono::hours(hours));
    service_.Advance(absl::ZeroDuration());
    EXPECT_TRUE(a_.Continue(task)) << "its lease";
    EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 5, 0.01);
  }
  EXPECT_OK(a_.Deliver(task));
  service_.clock.SetWall(std::chrono::hours(-24));
  const std::string second = Simulate("u");
  service_.clock.SetWall(std::chrono::hours(72));
  const std::string other = Simulate("v");
  EXPECT_EQ(Next(a_), other);
  EXPECT_EQ(Next(a_), second);
  service_.Reopen();
  EXPECT_NEAR(service_.dispatcher().RecentWorkerSeconds("u"), 5, 0.01);
}

// --- Pausing a job ---

TEST_F(FairnessTest, APausedJobGetsNoFurtherTask) {
  const std::string job = SubmitTiles(3);
  const v1::Task first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  ASSERT_OK_AND_ASSIGN(const v1::Job paused, service_.jobs().Pause("local", job));
  EXPECT_EQ(paused.state(), v1::PAUSED);
  EXPECT_FALSE(b_.Take());
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_THAT(response.cancelled(), ElementsAre(staged.name())) << "it was not begun";
  EXPECT_THAT(response.assigned(), IsEmpty());
  EXPECT_OK(a_.Deliver(first));  // what runs goes on
  EXPECT_EQ(service_.Get(job).progress().activity(), "paused");
  ASSERT_OK(service_.jobs().Pause("local", job));  // again
  service_.Reopen();
  EXPECT_EQ(service_.Get(job).state(), v1::PAUSED) << "durable";
  EXPECT_FALSE(a_.Take());
  EXPECT_FALSE(service_.jobs().NextDue()) << "nothing to wake up for";
  ASSERT_OK_AND_ASSIGN(const v1::Job resumed, service_.jobs().Resume("local", job));
  EXPECT_EQ(resumed.state(), v1::RUNNING);
  EXPECT_EQ(a_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(FairnessTest, AJobThatHasNotBegunIsPendingAgainAfterAPause) {
  const std::string job = Simulate("u");
  ASSERT_OK(service_.jobs().Pause("u", job));
  EXPECT_FALSE(a_.Take());
  ASSERT_OK_AND_ASSIGN(const v1::Job resumed, service_.jobs().Resume("u", job));
  EXPECT_EQ(resumed.state(), v1::PENDING);
  ASSERT_OK(service_.jobs().Resume("u", job));  // again
  EXPECT_TRUE(a_.Take());
}

TEST_F(FairnessTest, APausedJobEndsWithItsLastTask) {
  const std::string job = SubmitTiles(1);
  const v1::Task last = *a_.Take();
  ASSERT_OK(service_.jobs().Pause("local", job));
  EXPECT_OK(a_.Deliver(last));
  service_.CheckResult(service_.Get(job));
  EXPECT_EQ(ReasonOf(service_.jobs().Pause("local", job).status()), v1::JOB_ENDED);
  EXPECT_EQ(ReasonOf(service_.jobs().Resume("local", job).status()), v1::JOB_ENDED);
}

TEST_F(FairnessTest, APausedJobCanBeCancelledAndItsTasksBackOffInSilence) {
  const std::string job = SubmitTiles(2);
  const v1::Task task = *a_.Take();
  ASSERT_OK(service_.jobs().Pause("local", job));
  a_.GiveUp(task, absl::InternalError("it went wrong"));
  EXPECT_FALSE(service_.jobs().NextDue());
  ASSERT_OK_AND_ASSIGN(const v1::Job cancelled, service_.jobs().Cancel("local", job));
  EXPECT_EQ(cancelled.state(), v1::CANCELLED);
}

TEST_F(FairnessTest, OnlyItsOwnerPausesAJob) {
  const std::string job = Simulate("u");
  EXPECT_EQ(ReasonOf(service_.jobs().Pause("v", job).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(service_.jobs().Resume("v", job).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(service_.jobs().Pause("u", "nothing").status()), v1::NOT_FOUND);
}

// --- Pausing the server ---

TEST_F(FairnessTest, APausedServerGivesOutNothing) {
  const std::string job = SubmitTiles(3);
  const v1::Task first = *a_.Take();
  const v1::Task staged = Staged(a_, first);
  ASSERT_OK(service_.dispatcher().Pause(true));
  EXPECT_TRUE(service_.dispatcher().paused());
  EXPECT_FALSE(b_.Take());
  ASSERT_OK_AND_ASSIGN(const auto response, a_.AskForMore({{first, v1::COMPUTING}, {staged, v1::STAGED}}));
  EXPECT_THAT(response.cancelled(), ElementsAre(staged.name()));
  EXPECT_THAT(response.assigned(), IsEmpty());
  EXPECT_OK(a_.Deliver(first));
  service_.Reopen();
  EXPECT_TRUE(service_.dispatcher().paused()) << "durable";
  EXPECT_FALSE(a_.Take());
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting for an administrator, who has paused the server");
  ASSERT_OK(service_.dispatcher().Pause(false));
  EXPECT_EQ(a_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
  service_.Reopen();
  EXPECT_FALSE(service_.dispatcher().paused());
}

}  // namespace
}  // namespace deconvoy::server
