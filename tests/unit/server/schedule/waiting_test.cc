// The dispatcher waiting and stopping, on the real clock.
#include "server/schedule/dispatcher.h"

#include <atomic>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

class WaitingTest : public ::testing::Test {
 protected:
  static Dispatcher::Options Patient() {
    Dispatcher::Options options = JobService::DefaultOptions();
    options.poll = absl::Minutes(1);
    options.tick = absl::Milliseconds(1);
    return options;
  }
  // Waits for work in a thread.
  std::thread AskInThread(TestWorker& worker, absl::StatusOr<v1::SynchronizeResponse>& answer) {
    return std::thread([&worker, &answer] {
      v1::SynchronizeRequest request;
      request.set_free_slots(1);
      answer = worker.Call(request);
    });
  }

  JobService service_{Patient()};
  TestWorker worker_{service_, "a"};
};

TEST_F(WaitingTest, AnIdleWorkerIsGivenWorkAsItComes) {
  ASSERT_OK(worker_.Register());
  absl::StatusOr<v1::SynchronizeResponse> answer;
  std::thread waiting = AskInThread(worker_, answer);
  service_.Submit(service_.Simulate());
  waiting.join();
  ASSERT_OK(answer);
  EXPECT_EQ(answer->assigned_size(), 1);
  EXPECT_EQ(answer->next_call_ms(), 1000U);
}

TEST_F(WaitingTest, ABusyWorkerIsAnsweredAtOnce) {
  ASSERT_OK(worker_.Register());
  service_.Submit(service_.Simulate());
  const v1::Task task = *worker_.Take();
  v1::SynchronizeRequest request;
  request.set_free_slots(1);
  request.add_tasks()->set_task(task.name());
  request.mutable_tasks(0)->set_token(task.token());
  ASSERT_OK_AND_ASSIGN(const v1::SynchronizeResponse response, worker_.Call(request));
  EXPECT_TRUE(response.assigned().empty());
}

TEST_F(WaitingTest, AWaitingWorkerIsGivenATaskWhoseBackoffIsOver) {
  ASSERT_OK(worker_.Register());
  service_.Submit(service_.Simulate());
  worker_.registration.set_process_id(1);
  const v1::Task task = *worker_.Take();
  absl::StatusOr<v1::SynchronizeResponse> answer;
  std::thread waiting([&] {
    v1::SynchronizeRequest request;
    request.set_free_slots(1);
    v1::TaskStatus& status = *request.add_tasks();
    status.set_task(task.name());
    status.set_token(task.token());
    *status.mutable_error() = ToStored(absl::InternalError("broken"));
    status.set_retry_elsewhere(true);
    answer = worker_.Call(request);
  });
  while (service_.jobs().CountTasks().ready == 0) std::this_thread::yield();
  service_.clock.Advance(std::chrono::seconds(1));
  waiting.join();
  ASSERT_OK(answer);
  EXPECT_EQ(answer->assigned_size(), 1);
}

TEST_F(WaitingTest, ANewerCallEndsAnOlderOne) {
  ASSERT_OK(worker_.Register());
  absl::StatusOr<v1::SynchronizeResponse> older, newer;
  std::thread first = AskInThread(worker_, older);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::thread second = AskInThread(worker_, newer);
  first.join();
  ASSERT_OK(older);
  EXPECT_TRUE(older->assigned().empty());
  service_.Submit(service_.Simulate());
  second.join();
  ASSERT_OK(newer);
  EXPECT_EQ(newer->assigned_size(), 1);
}

TEST_F(WaitingTest, ACallThatNobodyWaitsForTakesNothing) {
  ASSERT_OK(worker_.Register());
  v1::SynchronizeRequest request;
  request.set_worker(WorkerName("a"));
  request.set_free_slots(1);
  EXPECT_TRUE(absl::IsCancelled(service_.dispatcher().Synchronize(request, "node", [] { return true; }).status()));
}

TEST_F(WaitingTest, AnotherAccountEndsNoWaitingCall) {
  ASSERT_OK(worker_.Register());
  std::atomic<int> looks = 0;
  std::atomic<bool> leave = false, ended = false;
  absl::StatusOr<v1::SynchronizeResponse> waited;
  std::thread waiting([&] {
    v1::SynchronizeRequest request;
    request.set_worker(WorkerName("a"));
    request.set_free_slots(1);
    const auto gone = [&] {
      ++looks;
      return leave.load();
    };
    waited = service_.dispatcher().Synchronize(request, worker_.account, gone);
    ended = true;
  });
  const auto until_looks = [&](int count) {
    while (looks < count && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  until_looks(1);
  TestWorker thief(service_, "a");
  thief.account = "other";
  EXPECT_OK(thief.Call({}));
  until_looks(looks + 3);
  leave = true;
  waiting.join();
  EXPECT_TRUE(absl::IsCancelled(waited.status())) << "it waited until it left";
}

TEST_F(WaitingTest, AWaitingWorkerIsNotLost) {
  ASSERT_OK(worker_.Register());
  absl::StatusOr<v1::SynchronizeResponse> answer;
  std::thread waiting = AskInThread(worker_, answer);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    service_.clock.Advance(std::chrono::seconds(8));
    EXPECT_NE(service_.dispatcher().Workers()[0].state(), v1::LOST);
  }
  service_.Submit(service_.Simulate());
  waiting.join();
  EXPECT_OK(answer);
}

TEST_F(WaitingTest, DrainingSendsIdleWorkersAwayAndLetsBusyOnesFinish) {
  ASSERT_OK(worker_.Register());
  const std::string job = service_.Submit(service_.Simulate());
  const v1::Task task = *worker_.Take();
  TestWorker idle(service_, "b");
  ASSERT_OK(idle.Register());
  absl::StatusOr<v1::SynchronizeResponse> answer;
  std::thread waiting = AskInThread(idle, answer);
  service_.dispatcher().Drain();
  waiting.join();
  EXPECT_EQ(ReasonOf(answer.status()), v1::SHUTTING_DOWN);
  EXPECT_TRUE(worker_.Continue(task));
  EXPECT_FALSE(service_.dispatcher().WaitIdle(absl::ZeroDuration()));
  EXPECT_OK(worker_.Deliver(task));
  EXPECT_TRUE(service_.dispatcher().WaitIdle(absl::Seconds(1)));
  EXPECT_EQ(service_.Get(job).state(), v1::SUCCEEDED);
  service_.dispatcher().Stop();
  EXPECT_EQ(ReasonOf(worker_.Call({}).status()), v1::SHUTTING_DOWN);
}

TEST_F(WaitingTest, TheDispatcherTicksByItself) {
  ASSERT_OK(worker_.Register());
  service_.Submit(service_.Simulate());
  ASSERT_TRUE(worker_.Take());
  service_.clock.Advance(std::chrono::seconds(11));
  for (int i = 0; i < 5000 && service_.jobs().CountTasks().ready == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(service_.jobs().CountTasks().ready, 1);
}

}  // namespace
}  // namespace deconvoy::server
