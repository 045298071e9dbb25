// A job of a hundred thousand tasks costs no more per task than a small one.
#include <chrono>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using Clock = std::chrono::steady_clock;

// Seconds for 100 tasks to be taken and delivered.
double SecondsForSomeTasks(TestWorker& worker) {
  const auto start = Clock::now();
  for (int i = 0; i < 100; ++i) {
    const std::optional<v1::Task> task = worker.Take();
    EXPECT_TRUE(task);
    if (!task) break;
    EXPECT_TRUE(worker.Continue(*task));
    EXPECT_OK(worker.Deliver(*task));
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

TEST(ScaleTest, AHundredThousandTasks) {
  JobService service;
  TestWorker worker(service, "w");
  service.Submit(service.Deconvolve({1, 1, 1, 10, 10}, {1, 1, 1}));
  ASSERT_OK(worker.Deliver(*worker.Take()));
  const double few = SecondsForSomeTasks(worker);

  const std::string job = service.Submit(service.Deconvolve({1, 1, 10, 100, 100}, {1, 1, 1}));
  ASSERT_OK(worker.Deliver(*worker.Take()));
  EXPECT_EQ(service.Get(job).progress().tasks_total(), 100'001U);
  EXPECT_LT(SecondsForSomeTasks(worker), 5 * few + 1);

  service.Reopen();
  EXPECT_LT(SecondsForSomeTasks(worker), 5 * few + 1);
  EXPECT_EQ(service.Get(job).progress().tasks_done(), 201U);
  ASSERT_OK(service.jobs().Cancel(JobService::kOwner, job));
  EXPECT_FALSE(worker.Take());
}

}  // namespace
}  // namespace deconvoy::server
