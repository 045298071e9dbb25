// Workers as the dispatcher tells them, and those that take nothing more.
#include "server/schedule/dispatcher.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

class WorkersTest : public ::testing::Test {
 protected:
  // Submits a job that is one task.
  std::string SubmitOne() { return service_.Submit(service_.Simulate()); }
  v1::Worker Shown(const std::string& id) {
    for (const v1::Worker& worker : service_.dispatcher().Workers()) {
      if (worker.name() == WorkerName(id)) return worker;
    }
    return {};
  }

  JobService service_;
  TestWorker a_{service_, "a"};
  TestWorker b_{service_, "b"};
};

TEST_F(WorkersTest, WorkersAreShownAsTheyStand) {
  SubmitOne();
  ASSERT_OK(b_.Register());
  const v1::Task task = *a_.Take();
  ASSERT_TRUE(a_.Continue(task, 4));
  EXPECT_EQ(Shown("a").state(), v1::BUSY);
  EXPECT_EQ(Shown("a").tasks(0).iteration(), 4U);
  EXPECT_EQ(Shown("b").state(), v1::IDLE);
  v1::SynchronizeRequest leaving;
  leaving.set_draining(true);
  ASSERT_OK(b_.Call(leaving));
  EXPECT_EQ(Shown("b").state(), v1::DRAINING);
  ASSERT_OK(a_.Deliver(task));
  EXPECT_EQ(Shown("a").tasks_done(), 1U);
  service_.Advance(absl::Seconds(11));
  EXPECT_EQ(Shown("a").state(), v1::LOST);
  ASSERT_OK(a_.Call({}));
  EXPECT_EQ(Shown("a").state(), v1::IDLE) << "it has come back";
  EXPECT_TRUE(service_.capabilities().HasWorker("cpu"));
  service_.Advance(absl::Hours(1));
  EXPECT_TRUE(service_.dispatcher().Workers().empty()) << "lost for an hour";
}

TEST_F(WorkersTest, ADrainedWorkerFinishesAndGetsNothingMore) {
  SubmitOne();
  SubmitOne();
  const v1::Task task = *a_.Take();
  ASSERT_OK_AND_ASSIGN(const v1::Worker drained, service_.dispatcher().DrainWorker(WorkerName("a"), true));
  EXPECT_EQ(drained.state(), v1::DRAINING);
  EXPECT_TRUE(a_.Continue(task));
  EXPECT_OK(a_.Deliver(task));
  v1::SynchronizeRequest request;
  request.set_free_slots(1);
  ASSERT_OK_AND_ASSIGN(const v1::SynchronizeResponse response, a_.Call(request));
  EXPECT_TRUE(response.drain());
  EXPECT_TRUE(response.assigned().empty());
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("a"), false));
  EXPECT_TRUE(a_.Take());
  EXPECT_EQ(ReasonOf(service_.dispatcher().DrainWorker(WorkerName("x"), true).status()), v1::NOT_FOUND);
}

TEST_F(WorkersTest, PlansDoNotCountOnWorkersThatTakeNothingMore) {
  const auto budget = [this] { return service_.capabilities().Machine("cpu", "").memory_budget_bytes; };
  b_.registration.set_memory_budget_bytes(2 << 20);
  a_.registration.set_memory_budget_bytes(1 << 20);
  ASSERT_OK(a_.Register());
  ASSERT_OK(b_.Register());
  EXPECT_EQ(budget(), 2 << 20);
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("b"), true));
  EXPECT_EQ(budget(), 1 << 20) << "what is planned now would else wait for it for ever";
  ASSERT_OK(b_.Call({}));
  EXPECT_EQ(budget(), 1 << 20) << "it is still there";
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("b"), false));
  EXPECT_EQ(budget(), 2 << 20);
  v1::SynchronizeRequest leaving;
  leaving.set_draining(true);
  ASSERT_OK(b_.Call(leaving));
  EXPECT_EQ(budget(), 1 << 20);
  service_.Advance(absl::Seconds(11));
  EXPECT_FALSE(service_.capabilities().HasWorker("cpu")) << "lost";
  ASSERT_OK(b_.Call({}));
  EXPECT_EQ(budget(), 2 << 20) << "back, and not leaving any more";
}

TEST_F(WorkersTest, AnotherAccountIsAWorkerThatHasNotRegistered) {
  service_.Submit(service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  const v1::Task task = *a_.Take();
  TestWorker thief(service_, "a");
  thief.account = "other";
  v1::SynchronizeRequest request;
  v1::TaskStatus& status = *request.add_tasks();
  status.set_task(task.name());
  status.set_token(task.token());
  *status.mutable_error() = ToStored(MakeError({.reason = v1::OUT_OF_MEMORY}, "not hers to say"));
  const absl::StatusOr<v1::SynchronizeResponse> answer = thief.Call(request), unknown = b_.Call(request);
  ASSERT_OK(answer);
  ASSERT_OK(unknown);
  EXPECT_TRUE(answer->register_());
  EXPECT_EQ(answer->SerializeAsString(), unknown->SerializeAsString());
  EXPECT_EQ(ReasonOf(thief.Register()), v1::WORKER_REFUSED) << "the name is taken";
  v1::FetchInputRequest fetch;
  fetch.set_worker(WorkerName("a"));
  fetch.set_task(task.name());
  fetch.set_token(task.token());
  fetch.set_volume(task.inputs(0).volume());
  EXPECT_EQ(ReasonOf(service_.dispatcher().AuthoriseInput(fetch, thief.account)), v1::STALE_LEASE);
  EXPECT_OK(service_.dispatcher().AuthoriseInput(fetch, a_.account));
  EXPECT_EQ(ReasonOf(thief.Deliver(task)), v1::STALE_LEASE);
  EXPECT_TRUE(a_.Continue(task)) << "nothing has come of it";
  EXPECT_EQ(Shown("a").tasks_failed(), 0U);
  EXPECT_OK(a_.Deliver(task));
  service_.Advance(absl::Seconds(11));
  service_.Advance(absl::Hours(1));
  EXPECT_OK(thief.Register());  // nobody has used the name for an hour
}

}  // namespace
}  // namespace deconvoy::server
