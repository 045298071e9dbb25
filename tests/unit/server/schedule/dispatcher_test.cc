#include "server/schedule/dispatcher.h"

#include <atomic>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class DispatcherTest : public ::testing::Test {
 protected:
  // Submits a job that is one task.
  std::string SubmitOne() { return service_.Submit(service_.Simulate()); }
  v1::Worker Shown(const std::string& id) {
    for (const v1::Worker& worker : service_.dispatcher().Workers()) {
      if (worker.name() == WorkerName(id)) return worker;
    }
    return {};
  }
  TaskRecord RecordOf(const v1::Task& task) {
    const TaskId id = ParseTaskName(task.name(), "").value();
    auto tasks = service_.store().GetTasks(id.job_id);
    EXPECT_OK(tasks);
    return (*tasks)[static_cast<size_t>(id.number)];
  }

  JobService service_;
  TestWorker a_{service_, "a"};
  TestWorker b_{service_, "b"};
};

// --- Registration ---

TEST_F(DispatcherTest, AnUnknownWorkerIsAskedToRegisterAndToDropItsTasks) {
  v1::SynchronizeRequest request;
  request.add_tasks()->set_task("jobs/x/tasks/0");
  ASSERT_OK_AND_ASSIGN(const v1::SynchronizeResponse response, a_.Call(request));
  EXPECT_TRUE(response.register_());
  EXPECT_THAT(response.cancelled(), ::testing::ElementsAre("jobs/x/tasks/0"));
  EXPECT_TRUE(service_.dispatcher().Workers().empty());
}

TEST_F(DispatcherTest, RefusesWorkersThatCannotBeTrusted) {
  a_.registration.set_contract_version(2);
  EXPECT_EQ(ReasonOf(a_.Register()), v1::WORKER_REFUSED);
  a_.registration.set_contract_version(limits::kContractVersion);
  a_.registration.mutable_self_test()->set_passed(false);
  a_.registration.mutable_self_test()->set_message("got 1, expected 2");
  const absl::Status refused = a_.Register();
  EXPECT_EQ(ReasonOf(refused), v1::WORKER_REFUSED);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("got 1, expected 2"));
  EXPECT_TRUE(service_.dispatcher().Workers().empty());
  v1::SynchronizeRequest request;
  request.set_worker("nonsense");
  EXPECT_EQ(ReasonOf(service_.dispatcher().Synchronize(request, a_.account, kNobodyLeft).status()), v1::INVALID_FIELD);
}

TEST_F(DispatcherTest, RegistrationBringsMethodsAndMemory) {
  a_.registration.mutable_methods(0)->set_name("new");
  a_.registration.set_tile_memory_bytes(1 << 29);
  ASSERT_OK(a_.Register());
  EXPECT_OK(service_.capabilities().FindMethod("new", ""));
  EXPECT_EQ(service_.capabilities().Machine("cpu", "").memory_budget_bytes, 1 << 30);
  EXPECT_EQ(service_.capabilities().Machine("cpu", "").tile_memory_bytes, 1 << 29);
  EXPECT_FALSE(Shown("a").same_host());
  a_.registration.set_spool_nonce(service_.volumes().nonce());
  ASSERT_OK(a_.Register());
  EXPECT_TRUE(Shown("a").same_host());
  EXPECT_EQ(Shown("a").registration().methods_size(), 0);
}

TEST_F(DispatcherTest, OnlyAWorkerThatSeesTheSpoolIsToldPaths) {
  service_.Submit(service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  const v1::Task analysis = *a_.Take();
  EXPECT_TRUE(analysis.inputs(0).spool_path().empty());
  ASSERT_OK(a_.Deliver(analysis));
  b_.registration.set_spool_nonce(service_.volumes().nonce());
  const v1::Task tile = *b_.Take();
  EXPECT_TRUE(std::filesystem::exists(tile.inputs(0).spool_path()));
  EXPECT_TRUE(std::filesystem::exists(tile.scratch_path()));
  EXPECT_EQ(std::filesystem::file_size(tile.scratch_path()), 32U);
}

// --- Choice ---

TEST_F(DispatcherTest, TheOldestJobIsServedFirst) {
  const std::string first = SubmitOne();
  service_.clock.Advance(std::chrono::seconds(1));
  const std::string second = SubmitOne();
  EXPECT_EQ(a_.Take()->name(), TaskName(first, 0));
  EXPECT_EQ(a_.Take()->name(), TaskName(second, 0));
}

TEST_F(DispatcherTest, GivesAsManyTasksAsThereAreSlots) {
  for (int i = 0; i < 3; ++i) SubmitOne();
  ASSERT_OK(a_.Register());
  v1::SynchronizeRequest request;
  request.set_free_slots(2);
  ASSERT_OK_AND_ASSIGN(const v1::SynchronizeResponse response, a_.Call(request));
  EXPECT_EQ(response.assigned_size(), 2);
  request.set_free_slots(0);
  ASSERT_OK_AND_ASSIGN(const v1::SynchronizeResponse none, b_.Call(request));
  EXPECT_EQ(none.assigned_size(), 0);
  EXPECT_EQ(service_.jobs().CountTasks().leased, 2);
  EXPECT_EQ(service_.jobs().CountTasks().ready, 1);
}

TEST_F(DispatcherTest, ATaskGoesOnlyWhereItFits) {
  ASSERT_OK(b_.Register());
  v1::JobSpec spec = service_.Deconvolve({1, 1, 32, 32, 32}, {0, 0, 0});
  spec.mutable_deconvolve()->mutable_tile()->set_whole(true);
  service_.Submit(spec);
  ASSERT_OK(b_.Deliver(*b_.Take()));
  a_.registration.set_memory_budget_bytes(20 * 32 * 32 * 32);
  EXPECT_FALSE(a_.Take()) << "the whole frame and its PSF need more";
  EXPECT_TRUE(b_.Take());
}

TEST_F(DispatcherTest, ASimulationGoesOnlyWhereItFits) {
  ASSERT_OK(b_.Register());
  service_.Submit(service_.Simulate(32));
  a_.registration.set_memory_budget_bytes(8 * 32 * 32 * 32 - 1);
  EXPECT_FALSE(a_.Take());
  EXPECT_TRUE(b_.Take());
}

TEST_F(DispatcherTest, ATaskGoesOnlyToItsBackendAndMethod) {
  service_.capabilities().AddMethods({RlMethod("cuda")});
  v1::JobSpec spec = service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4});
  spec.mutable_deconvolve()->set_backend("cuda");
  service_.Submit(spec);
  EXPECT_FALSE(a_.Take());
  b_.registration.set_backend("cuda");
  b_.registration.mutable_methods(0)->set_name("other");
  EXPECT_FALSE(b_.Take()) << "it does not know the method";
  b_.registration.mutable_methods(0)->set_name("rl");
  ASSERT_OK(b_.Register());
  EXPECT_TRUE(b_.Take());
}

TEST_F(DispatcherTest, AFailedTaskPrefersAnotherWorker) {
  SubmitOne();
  ASSERT_OK(b_.Register());
  const v1::Task task = *a_.Take();
  a_.GiveUp(task, absl::InternalError("broken"));
  service_.Advance(absl::Seconds(1));
  EXPECT_FALSE(a_.Take()) << "b is there";
  EXPECT_EQ(b_.Take()->name(), task.name());
}

TEST_F(DispatcherTest, AFailedTaskReturnsToItsWorkerWhenThereIsNoOther) {
  SubmitOne();
  ASSERT_OK(b_.Register());
  const v1::Task task = *a_.Take();
  a_.GiveUp(task, absl::InternalError("broken"));
  ASSERT_OK(service_.dispatcher().DrainWorker(WorkerName("b"), true));
  service_.Advance(absl::Seconds(1));
  EXPECT_EQ(a_.Take()->name(), task.name());
}

// --- Leases ---

TEST_F(DispatcherTest, ALeaseThatIsNotRenewedIsLost) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  EXPECT_EQ(task.lease_ms(), 10'000U);
  service_.Advance(absl::Milliseconds(9'999));
  EXPECT_TRUE(a_.Continue(task));
  service_.Advance(absl::Milliseconds(9'999));
  EXPECT_TRUE(a_.Continue(task)) << "each call moves the deadline";
  service_.Advance(absl::Seconds(10));
  EXPECT_EQ(RecordOf(task).state, TaskState::kReady);
  EXPECT_EQ(RecordOf(task).losses, 1);
  EXPECT_EQ(RecordOf(task).failures, 0);
  EXPECT_FALSE(a_.Continue(task));
  EXPECT_EQ(ReasonOf(a_.Deliver(task)), v1::STALE_LEASE);
  const v1::Task again = *b_.Take();
  EXPECT_EQ(again.name(), task.name());
  EXPECT_GT(again.token(), task.token());
  EXPECT_OK(b_.Deliver(again));
}

TEST_F(DispatcherTest, ATaskTakenWhileItsOldLeaseIsClearedIsHeld) {
  ASSERT_OK(b_.Register());
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    SubmitOne();
    ASSERT_TRUE(a_.Take());
    std::optional<v1::Task> again;
    std::thread waiting([&] {
      while (!again) again = b_.Take();
    });
    service_.Advance(absl::Seconds(10));
    waiting.join();
    EXPECT_TRUE(b_.Continue(*again));
    ASSERT_OK(b_.Deliver(*again));
  }
}

TEST_F(DispatcherTest, ACallThatDoesNotNameTheTaskDoesNotKeepIt) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  for (int i = 0; i < 3; ++i) {
    service_.Advance(absl::Seconds(4));
    EXPECT_OK(a_.Call({}));
  }
  EXPECT_EQ(RecordOf(task).state, TaskState::kReady);
}

TEST_F(DispatcherTest, AnotherWorkersTokenCountsForNothing) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  ASSERT_OK(b_.Register());
  EXPECT_FALSE(b_.Continue(task));
  EXPECT_EQ(ReasonOf(b_.Deliver(task)), v1::STALE_LEASE);
  EXPECT_TRUE(a_.Continue(task));
  b_.GiveUp(task, absl::InternalError("mischief"));
  EXPECT_TRUE(a_.Continue(task));
}

TEST_F(DispatcherTest, ATaskGivenBackByAStoppingWorkerCountsAsLost) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  a_.GiveUp(task, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"), false);
  EXPECT_EQ(RecordOf(task).losses, 1);
  EXPECT_EQ(RecordOf(task).failures, 0);
  service_.Advance(absl::Seconds(1));
  EXPECT_TRUE(a_.Take());
}

TEST_F(DispatcherTest, ATaskThatItsWorkersKeepGivingBackWaitsLongerEachTime) {
  SubmitOne();
  const absl::Status errors[] = {absl::UnavailableError("away"), absl::CancelledError("stopped"),
                                 MakeError({.reason = v1::SHUTTING_DOWN}, "no room for another task")};
  absl::Duration pause = absl::Seconds(1);
  for (const absl::Status& error : errors) {
    SCOPED_TRACE(error);
    const std::optional<v1::Task> task = a_.Take();
    ASSERT_TRUE(task);
    a_.GiveUp(*task, error);
    service_.Advance(pause - absl::Milliseconds(1));
    EXPECT_FALSE(a_.Take()) << pause;
    service_.Advance(absl::Milliseconds(1));
    pause *= 2;
  }
  EXPECT_TRUE(a_.Take());
}

TEST_F(DispatcherTest, ACrashBySignalCountsAndAnExitDoesNot) {
  SubmitOne();
  v1::Task task = *a_.Take();
  service_.dispatcher().WorkerExited(101, true);
  EXPECT_TRUE(a_.Continue(task)) << "another process";
  service_.dispatcher().WorkerExited(100, true);
  EXPECT_EQ(RecordOf(task).failures, 1);
  EXPECT_EQ(Shown("a").state(), v1::LOST);
  EXPECT_FALSE(service_.capabilities().HasWorker("cpu"));
  service_.Advance(absl::Seconds(1));
  b_.registration.set_process_id(200);
  task = *b_.Take();
  service_.dispatcher().WorkerExited(200, false);
  EXPECT_EQ(RecordOf(task).failures, 1);
  EXPECT_EQ(RecordOf(task).losses, 1);
  EXPECT_TRUE(b_.Take()) << "at once: nobody asked for a pause";
}

TEST_F(DispatcherTest, OnlyTheFirstCrashOverATaskIsFollowedAtOnce) {
  SubmitOne();
  ASSERT_TRUE(a_.Take());
  service_.dispatcher().WorkerExited(100, true);
  b_.registration.set_process_id(200);
  ASSERT_TRUE(b_.Take()) << "a pause after the first crash";
  service_.dispatcher().WorkerExited(200, true);
  TestWorker c(service_, "c");
  EXPECT_FALSE(c.Take()) << "no pause after the second";
  service_.Advance(absl::Seconds(2));
  EXPECT_TRUE(c.Take());
}

TEST_F(DispatcherTest, ProcessesOfOtherHostsAreNotOurs) {
  SubmitOne();
  a_.registration.set_host("elsewhere");
  const v1::Task task = *a_.Take();
  service_.dispatcher().WorkerExited(100, true);
  EXPECT_TRUE(a_.Continue(task));
}

// --- Delivery ---

TEST_F(DispatcherTest, DeliveringTwiceIsFine) {
  const std::string job = SubmitOne();
  const v1::Task task = *a_.Take();
  EXPECT_OK(a_.Deliver(task));
  EXPECT_OK(a_.Deliver(task));
  const uint64_t events = service_.Get(job).last_sequence();
  service_.Reopen();
  EXPECT_OK(a_.Deliver(task));  // also after a restart
  EXPECT_EQ(service_.Get(job).last_sequence(), events) << "without effect";
}

TEST_F(DispatcherTest, WrongBytesSpoilTheAttempt) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  std::string bytes;
  const v1::TaskResult result = ResultOf(task, &bytes);
  bytes[7] = static_cast<char>(bytes[7] + 1);
  EXPECT_EQ(ReasonOf(a_.Deliver(task, result, bytes)), v1::CHECKSUM_MISMATCH);
  EXPECT_EQ(RecordOf(task).failures, 1);
  EXPECT_EQ(Shown("a").tasks_failed(), 1U);
  service_.Advance(absl::Seconds(1));
  const v1::Task again = *a_.Take();
  EXPECT_OK(a_.Deliver(again));  // over what the first attempt left
}

TEST_F(DispatcherTest, ADeliveryMustBeWhole) {
  SubmitOne();
  const v1::Task task = *a_.Take();
  std::string bytes;
  const v1::TaskResult result = ResultOf(task, &bytes);
  EXPECT_EQ(ReasonOf(a_.Deliver(task, result, bytes.substr(1))), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(a_.Deliver(task, result, bytes + "x")), v1::INVALID_FIELD);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Delivery> delivery,
                       service_.dispatcher().BeginDelivery(a_.Header(task), a_.account));
  v1::OutputChunk chunk;
  chunk.set_position(1);
  chunk.set_data("x");
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  EXPECT_EQ(ReasonOf(delivery->Write(chunk)), v1::INVALID_FIELD) << "a gap";
  chunk.set_position(0);
  chunk.set_crc32c(0);
  EXPECT_EQ(ReasonOf(delivery->Write(chunk)), v1::CHECKSUM_MISMATCH);
  EXPECT_TRUE(a_.Continue(task)) << "the lease is as it was";
  EXPECT_OK(a_.Deliver(task));  // and may deliver anew
}

TEST_F(DispatcherTest, AScratchFileIsTakenFromThoseWhoWereGivenOne) {
  const std::string job = SubmitOne();
  v1::Task task = *a_.Take();
  v1::DeliveryHeader header = a_.Header(task);
  header.set_in_scratch_file(true);
  EXPECT_EQ(ReasonOf(service_.dispatcher().BeginDelivery(header, a_.account).status()), v1::INVALID_FIELD);
  a_.GiveUp(task, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  service_.Advance(absl::Seconds(1));

  b_.registration.set_spool_nonce(service_.volumes().nonce());
  task = *b_.Take();
  std::string bytes;
  const v1::TaskResult result = ResultOf(task, &bytes);
  std::FILE* file = std::fopen(task.scratch_path().c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
  header = b_.Header(task);
  header.set_in_scratch_file(true);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Delivery> delivery,
                       service_.dispatcher().BeginDelivery(header, a_.account));
  EXPECT_OK(delivery->Commit(result));
  EXPECT_EQ(service_.Get(job).state(), v1::SUCCEEDED);
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
}

TEST_F(DispatcherTest, TheSameLeaseDeliveredByManyAtOnceIsCommittedOnce) {
  service_.Submit(service_.Deconvolve({1, 1, 2, 8, 8}, {2, 8, 8}));
  ASSERT_OK(a_.Deliver(*a_.Take()));
  const v1::Task task = *a_.Take();
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { EXPECT_OK(a_.Deliver(task)); });
  for (std::thread& thread : threads) thread.join();
  const v1::Job job = service_.Get(ParseTaskName(task.name(), "")->job_id);
  service_.CheckResult(job);
  EXPECT_EQ(job.progress().tasks_done(), 2U);
  EXPECT_EQ(job.result().sum(), 1);
}

TEST_F(DispatcherTest, ChunksThatNobodyAskedForAreRefused) {
  service_.Submit(service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  const v1::Task analysis = *a_.Take();
  ASSERT_OK_AND_ASSIGN(const auto delivery, service_.dispatcher().BeginDelivery(a_.Header(analysis), a_.account));
  v1::OutputChunk empty;
  empty.set_crc32c(Crc32c({}));
  EXPECT_EQ(ReasonOf(delivery->Write(empty)), v1::INVALID_FIELD);
  EXPECT_OK(a_.Deliver(analysis));
}

TEST_F(DispatcherTest, TheResultOfADeletedJobIsStale) {
  const std::string job = SubmitOne();
  const v1::Task task = *a_.Take();
  EXPECT_OK(service_.jobs().Cancel(JobService::kOwner, job));
  EXPECT_OK(service_.jobs().Delete(JobService::kOwner, job));
  EXPECT_EQ(ReasonOf(a_.Deliver(task)), v1::STALE_LEASE);
  EXPECT_EQ(ReasonOf(a_.Deliver(task)), v1::STALE_LEASE) << "and so it is when it is delivered again";
  EXPECT_EQ(Shown("a").tasks_failed(), 0U);
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
}

TEST_F(DispatcherTest, CancellingRacesWithDelivery) {
  for (int round = 0; round < 10; ++round) {
    const size_t volumes = service_.CountVolumes();
    const std::string job = SubmitOne();
    const v1::Task task = *a_.Take();
    absl::Status delivered;
    std::thread deliverer([&] { delivered = a_.Deliver(task); });
    EXPECT_OK(service_.jobs().Cancel(JobService::kOwner, job));
    deliverer.join();
    const v1::Job shown = service_.Get(job);
    if (delivered.ok()) {
      EXPECT_EQ(shown.state(), v1::SUCCEEDED);
      EXPECT_EQ(service_.CountVolumes(), volumes + 3);
    } else {
      EXPECT_EQ(ReasonOf(delivered), v1::STALE_LEASE) << delivered;
      EXPECT_EQ(shown.state(), v1::CANCELLED);
      EXPECT_EQ(service_.CountVolumes(), volumes);
    }
    service_.Advance(absl::Seconds(11));
    EXPECT_EQ(service_.CountScratchFiles(), 0U);
  }
}

TEST_F(DispatcherTest, AWorkerReadsOnlyVolumesOfTasksItHolds) {
  service_.Submit(service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  const std::string other = service_.AddVolume(MakeSpec({1, 1, 1, 1, 1}));
  const v1::Task task = *a_.Take();
  v1::FetchInputRequest request;
  request.set_worker(WorkerName("a"));
  request.set_task(task.name());
  request.set_token(task.token());
  request.set_volume(task.inputs(1).volume());
  EXPECT_OK(service_.dispatcher().AuthoriseInput(request, a_.account));
  request.set_volume(other);
  EXPECT_EQ(ReasonOf(service_.dispatcher().AuthoriseInput(request, a_.account)), v1::NOT_FOUND);
  request.set_volume(task.inputs(1).volume());
  request.set_worker(WorkerName("b"));
  EXPECT_EQ(ReasonOf(service_.dispatcher().AuthoriseInput(request, a_.account)), v1::STALE_LEASE);
  request.set_worker(WorkerName("a"));
  ASSERT_OK(a_.Deliver(task));
  EXPECT_EQ(ReasonOf(service_.dispatcher().AuthoriseInput(request, a_.account)), v1::STALE_LEASE);
}

}  // namespace
}  // namespace deconvoy::server
