// What a job outlives and what ends it: clocks that jump, workers that are taken away again and again, tasks that crash
// every worker.
#include <gmock/gmock.h>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class EnduranceTest : public ::testing::Test {
 protected:
  // A deconvolution with two tiles, and its analysis done.
  std::string StartJob() {
    const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 4, 8}, {2, 4, 4}));
    const std::optional<v1::Task> analysis = worker_.Take();
    EXPECT_TRUE(analysis.has_value());
    EXPECT_OK(worker_.Deliver(*analysis));
    return job;
  }

  JobService service_;
  TestWorker worker_{service_, "w"};
};

TEST_F(EnduranceTest, AClockSetByADayHarmsNoLease) {
  for (const auto by : {std::chrono::hours(24), -std::chrono::hours(24)}) {
    const std::string job = StartJob();
    const std::optional<v1::Task> task = worker_.Take();
    ASSERT_TRUE(task.has_value());
    service_.clock.SetWall(by);
    service_.Advance(absl::Seconds(9));  // of a lease of 10
    EXPECT_TRUE(worker_.Continue(*task)) << "the lease ended early";
    service_.Advance(absl::Seconds(9));
    EXPECT_OK(worker_.Deliver(*task));
    EXPECT_EQ(worker_.WorkOff(), 1) << "the other tile is given out as if nothing had happened";
    service_.CheckResult(service_.Get(job));

    // A lease that is not renewed ends in its time, whatever the clock on the wall says.
    StartJob();
    const std::optional<v1::Task> left = worker_.Take();
    ASSERT_TRUE(left.has_value());
    service_.clock.SetWall(-by);
    service_.Advance(absl::Seconds(11));
    EXPECT_FALSE(worker_.Continue(*left));
    EXPECT_EQ(worker_.WorkOff(), 2);
  }
}

// As where machines are lent and taken back: each time the worker is told to leave, it gives its task back.
TEST_F(EnduranceTest, AWorkerTakenAwayFiftyTimesDoesNotFailTheJob) {
  const std::string job = StartJob();
  for (int i = 0; i < 50; ++i) {
    service_.Advance(absl::Minutes(10));  // longer than any pause
    const std::optional<v1::Task> task = worker_.Take();
    ASSERT_TRUE(task.has_value()) << "after " << i << " times: " << service_.Get(job).ShortDebugString();
    worker_.GiveUp(*task, absl::CancelledError("the worker was told to stop"));
  }
  service_.Advance(absl::Minutes(10));
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  EXPECT_EQ(worker_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(EnduranceTest, AWorkerKilledFiftyTimesDoesNotFailTheJob) {
  const std::string job = StartJob();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(worker_.Take().has_value());
    service_.dispatcher().WorkerExited(100, false);
    service_.Advance(absl::Minutes(10));
  }
  EXPECT_EQ(worker_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(EnduranceTest, ATileThatCrashesEveryWorkerFailsItsJobWithTheReason) {
  const std::string job = StartJob();
  int crashes = 0;
  for (; service_.Get(job).state() == v1::RUNNING && crashes < 100; ++crashes) {
    TestWorker next(service_, "w" + std::to_string(crashes));
    const auto process = static_cast<uint32_t>(1000 + crashes);
    next.registration.set_process_id(process);
    ASSERT_TRUE(next.Take().has_value());
    service_.dispatcher().WorkerExited(process, true);
    service_.Advance(absl::Minutes(10));
  }
  const v1::Job failed = service_.Get(job);
  EXPECT_EQ(failed.state(), v1::FAILED);
  EXPECT_LE(crashes, 2 * RetryRules().failure_cap) << "two tiles may crash in turns";
  EXPECT_GE(crashes, RetryRules().failure_cap);
  EXPECT_EQ(failed.error().info().reason(), v1::ATTEMPTS_EXHAUSTED) << failed.error().ShortDebugString();
  EXPECT_THAT(failed.error().message(), HasSubstr("tasks/")) << "does not say which task";
  EXPECT_THAT(failed.error().message(), HasSubstr("signal")) << "does not say what became of its workers";
}

}  // namespace
}  // namespace deconvoy::server
