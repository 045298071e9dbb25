#include "worker/session/stages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/support/test_support.h"
#include "tests/unit/worker/session/session_fixture.h"
#include "tests/unit/worker/support/page_cache.h"
#include "worker/executor/guarded_executor.h"

namespace deconvoy::worker {
namespace {

class SessionStages : public Sessions, public ::testing::WithParamInterface<bool> {
 protected:
  v1::Task Numbered(int number) { return Task(/*same_host=*/GetParam(), number); }
  // Tasks 1, 2 and 3, of which the delivery and the computing are held.
  bool StartWithOneInEachStage() {
    workers_.HoldDeliveries(true);
    Start();
    workers_.Give(Numbered(1));
    if (!workers_.WaitFor([&] { return workers_.delivered_tasks.size() == 1; })) return false;
    executor_.hold = true;
    workers_.Give(Numbered(2));
    workers_.Give(Numbered(3));
    return Told(one_in_each_stage_);
  }

  const std::map<std::string, v1::TaskStage> one_in_each_stage_ = {
      {"jobs/j/tasks/1", v1::DELIVERING}, {"jobs/j/tasks/2", v1::COMPUTING}, {"jobs/j/tasks/3", v1::STAGED}};
};

INSTANTIATE_TEST_SUITE_P(, SessionStages, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "BySpool" : "Streaming"; });

TEST_P(SessionStages, ComputesTheNextTaskWhileTheLastOneIsDelivered) {
  workers_.HoldDeliveries(true);
  Start();
  workers_.Give(Numbered(1));
  workers_.Give(Numbered(2));
  ASSERT_TRUE(workers_.WaitFor([&] { return executor_.started == 2; }));
  EXPECT_TRUE(workers_.Deliveries().empty()) << "the first one is not committed";
  workers_.HoldDeliveries(false);
  EXPECT_TRUE(Delivered(2));
  EXPECT_EQ(workers_.Deliveries()[1].header.task(), "jobs/j/tasks/2");
}

TEST_P(SessionStages, HoldsOneTaskInEachStageAndNoMore) {
  workers_.HoldDeliveries(true);
  Start();
  workers_.Give(Numbered(1));
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.delivered_tasks.size() == 1; }));
  executor_.hold = true;
  for (int number = 2; number <= 4; ++number) workers_.Give(Numbered(number));
  ASSERT_TRUE(
      Told({{"jobs/j/tasks/1", v1::DELIVERING}, {"jobs/j/tasks/2", v1::COMPUTING}, {"jobs/j/tasks/3", v1::STAGED}}));
  const v1::SynchronizeRequest last = workers_.Requests().back();
  EXPECT_EQ(last.free_slots(), 0U);
  EXPECT_EQ(Held(last)["jobs/j/tasks/3"].iteration(), 0U);
  EXPECT_EQ(executor_.started, 2);
  executor_.hold = false;
  workers_.HoldDeliveries(false);
  EXPECT_TRUE(Delivered(4));
}

// One that is computed waits for the delivery before it; the next one is not begun before that.
TEST_P(SessionStages, AtMostOneDeliveryWaits) {
  workers_.HoldDeliveries(true);
  Start();
  for (int number = 1; number <= 3; ++number) workers_.Give(Numbered(number));
  ASSERT_TRUE(
      Told({{"jobs/j/tasks/1", v1::DELIVERING}, {"jobs/j/tasks/2", v1::COMPUTING}, {"jobs/j/tasks/3", v1::STAGED}}));
  EXPECT_EQ(executor_.started, 2);
  workers_.HoldDeliveries(false);
  EXPECT_TRUE(Delivered(3));
}

TEST_P(SessionStages, ADrainingWorkerGivesBackWhatItHasNotBegun) {
  StartBusy(Numbered(1));
  workers_.Give(Numbered(2));
  ASSERT_TRUE(Told({{"jobs/j/tasks/1", v1::COMPUTING}, {"jobs/j/tasks/2", v1::STAGED}}));
  session_->Drain();
  const v1::TaskStatus status = WaitForGivenUp();
  EXPECT_EQ(status.task(), "jobs/j/tasks/2");
  EXPECT_EQ(status.stage(), v1::STAGED);
  EXPECT_EQ(status.error().info().reason(), v1::SHUTTING_DOWN);
  EXPECT_TRUE(status.retry_elsewhere());
  executor_.hold = false;
  EXPECT_OK(Join());
  ASSERT_EQ(workers_.Deliveries().size(), 1U);
  EXPECT_EQ(workers_.Deliveries()[0].header.task(), "jobs/j/tasks/1");
}

TEST_P(SessionStages, ACancelledTaskThatWaitsIsDroppedAndAnotherTaken) {
  StartBusy(Numbered(1));
  workers_.Give(Numbered(2));
  ASSERT_TRUE(Told({{"jobs/j/tasks/1", v1::COMPUTING}, {"jobs/j/tasks/2", v1::STAGED}}));
  workers_.Cancel("jobs/j/tasks/2");
  ASSERT_TRUE(Told({{"jobs/j/tasks/1", v1::COMPUTING}}));
  workers_.Give(Numbered(3));
  ASSERT_TRUE(Told({{"jobs/j/tasks/1", v1::COMPUTING}, {"jobs/j/tasks/3", v1::STAGED}}));
  executor_.hold = false;
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(workers_.Deliveries()[1].header.task(), "jobs/j/tasks/3");
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
  EXPECT_EQ(executor_.started, 2);
}

TEST_P(SessionStages, KeepsAllItsTasksOverARestartOfTheServer) {
  ASSERT_TRUE(StartWithOneInEachStage());
  workers_.FailDeliveries({absl::UnavailableError("stopping")});
  server_->Stop();
  const size_t before = workers_.Requests().size();
  server_->Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() > before; }));
  EXPECT_TRUE(Told(one_in_each_stage_));
  executor_.hold = false;
  workers_.HoldDeliveries(false);
  EXPECT_TRUE(workers_.WaitFor([&] {
    const auto& delivered = workers_.deliveries;
    return !delivered.empty() && delivered.back().header.task() == "jobs/j/tasks/3";
  }));
  EXPECT_EQ(executor_.started, 3);
}

TEST_P(SessionStages, LeavingWithATaskInEachStageEndsAtOnce) {
  ASSERT_TRUE(StartWithOneInEachStage());
  session_->Leave();
  EXPECT_OK(JoinSoon());
}

TEST_F(Sessions, FetchesTheNextTasksInputWhileOneIsComputed) {
  StartBusy(Task());
  workers_.Give(Task(/*same_host=*/false, 2));
  EXPECT_TRUE(workers_.WaitFor([&] {
    const auto& fetched = workers_.fetched_tasks;
    return std::find(fetched.begin(), fetched.end(), "jobs/j/tasks/2") != fetched.end();
  }));
  EXPECT_EQ(executor_.started, 1);
  executor_.hold = false;
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(workers_.Deliveries()[1].bytes, Numbers(64));
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.fetches == 2; })) << "nothing is fetched twice";
}

TEST_F(Sessions, ATaskOfWhichAFileCannotBeReadAheadIsComputedAllTheSame) {
  v1::Task next = Task(/*same_host=*/false, 2);
  v1::VolumeAccess& previous = *next.add_inputs();
  previous = next.inputs(0);
  previous.set_volume("volumes/previous");
  previous.set_spool_path((folder_.path() / "not there").string());
  next.mutable_tile()->set_previous_volume("volumes/previous");
  StartBusy(Task(/*same_host=*/true));
  workers_.Give(next);
  ASSERT_TRUE(workers_.WaitFor([&] { return Held(workers_.requests.back()).size() == 2; }));
  const size_t before = workers_.Requests().size();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= before + 3; })) << "time passes";
  executor_.hold = false;
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(workers_.Deliveries()[1].bytes, Numbers(64));
}

TEST_F(Sessions, ATaskThatWaitsForItsInputEndsWhenItIsCancelled) {
  StartBusy(Task(/*same_host=*/true));
  workers_.HoldFetches(true);
  workers_.Give(Task(/*same_host=*/false, 2));
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.fetches == 1; })) << "it is read ahead";
  executor_.hold = false;
  ASSERT_TRUE(workers_.WaitFor([&] {
    const auto held = Held(workers_.requests.back());
    return held.contains("jobs/j/tasks/2") && held.at("jobs/j/tasks/2").stage() == v1::COMPUTING;
  }));
  workers_.Cancel("jobs/j/tasks/2");
  EXPECT_TRUE(workers_.WaitFor([&] { return Held(workers_.requests.back()).empty(); }));
  workers_.HoldFetches(false);
}

TEST_F(Sessions, ReadsTheNextTasksInputIntoTheCacheWhileOneIsComputed) {
  const v1::Task first = Task(/*same_host=*/true), next = Task(/*same_host=*/true, 2);
  const std::string& volume = next.inputs(0).spool_path();
  if (!testing::DropFromCache(volume)) GTEST_SKIP() << "SKIPPED: files here always lie in memory";
  StartBusy(first);
  workers_.Give(next);
  EXPECT_TRUE(workers_.WaitFor([&] { return testing::IsInCache(volume); }));
  EXPECT_EQ(executor_.started, 1);
}

// Streams: while the first output waits, there is no room to begin the second task.
TEST_F(Sessions, BeginsATaskOnlyWhenItFitsBesideTheOutputThatWaits) {
  v1::Task second = Task(/*same_host=*/false, 2);
  second.mutable_tile()->mutable_spec()->set_method("rl");
  *second.mutable_tile()->mutable_padded() = ToProto(Shape3{4, 4, 4});
  ASSERT_OK_AND_ASSIGN(const int64_t need, NeedBytes(second));
  registration_.set_memory_budget_bytes(static_cast<uint64_t>(need));
  workers_.HoldDeliveries(true);
  Start();
  workers_.Give(Task());
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.delivered_tasks.size() == 1; }));
  workers_.Give(second);
  ASSERT_TRUE(workers_.WaitFor([&] { return Held(workers_.requests.back()).size() == 2; }));
  const size_t before = workers_.Requests().size();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= before + 3; })) << "time passes";
  EXPECT_EQ(Held(workers_.Requests().back())["jobs/j/tasks/2"].stage(), v1::STAGED);
  EXPECT_EQ(executor_.started, 1);
  EXPECT_EQ(workers_.Fetched("jobs/j/tasks/2"), 0) << "nor is there room for its input";
  workers_.HoldDeliveries(false);
  EXPECT_TRUE(Delivered(2));
}

}  // namespace
}  // namespace deconvoy::worker
