// Jobs on a disk that has run full since they were accepted: they wait, say for what, and go on.
#include <algorithm>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

constexpr const char* kFullState = "waiting for room on the disk of the state folder";

class RoomTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(a_.Register()); }
  std::string Activity(const std::string& job) { return service_.Get(job).progress().activity(); }
  void ExpectNothingCounted(const std::string& job) {
    auto tasks = service_.store().GetTasks(job);
    ASSERT_OK(tasks);
    for (const TaskRecord& task : *tasks) EXPECT_EQ(task.failures + task.losses, 0) << task.number;
  }
  std::ptrdiff_t KeptRetries(const std::string& job) {
    auto events = service_.store().GetEvents(job, 0, 1000);
    EXPECT_OK(events);
    return std::count_if(events->begin(), events->end(), [](const v1::JobEvent& event) { return event.has_retry(); });
  }
  // A job of two tiles of 32 bytes each, after its analysis.
  std::string SubmitTwoTiles() {
    const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
    EXPECT_OK(a_.Deliver(*a_.Take()));
    return job;
  }

  JobService service_;
  TestWorker a_{service_, "a"};
  TestWorker b_{service_, "b"};
};

TEST_F(RoomTest, AJobWaitsForRoomWithGrowingPausesAndForEver) {
  const std::string job = SubmitTwoTiles();
  const uint64_t events = service_.Get(job).last_sequence();
  service_.files().SetFreeBytes(31);
  EXPECT_FALSE(a_.Take());
  for (const int64_t seconds : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    EXPECT_EQ(Activity(job), "waiting for room in the spool: 32 bytes needed, 31 free");
    service_.files().SetFreeBytes(32);
    service_.Advance(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_FALSE(a_.Take()) << seconds;
    service_.files().SetFreeBytes(31);
    service_.Advance(absl::Milliseconds(1));
    EXPECT_FALSE(a_.Take()) << seconds;
  }
  EXPECT_EQ(service_.Get(job).last_sequence(), events) << "waiting fills the disk further";
  ExpectNothingCounted(job);
  service_.files().SetFreeBytes(32);
  service_.Advance(absl::Minutes(1));
  EXPECT_EQ(a_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(RoomTest, AScratchFileThatFindsNoRoomIsNoFailure) {
  const std::string job = SubmitTwoTiles();
  for (int i = 0; i < 10; ++i) {
    // The free space is asked for before the lease and before the file is made; a quota speaks up only after that.
    service_.files().FailAt(4, deconvoy::testing::Fault::kNoSpace);
    EXPECT_FALSE(a_.Take()) << i;
    EXPECT_TRUE(service_.files().failed());
    EXPECT_THAT(Activity(job), ::testing::StartsWith("waiting for room in the spool: 32 bytes needed, "));
    service_.Advance(absl::Minutes(1));
  }
  service_.files().FailAt(0, deconvoy::testing::Fault::kNoSpace);
  EXPECT_EQ(KeptRetries(job), 1);
  ExpectNothingCounted(job);
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
  EXPECT_EQ(a_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(RoomTest, AFullDiskThatAWorkerReportsIsNoFailure) {
  const std::string job = SubmitTwoTiles();
  const absl::Status full = MakeError({.reason = v1::DISK_FULL, .metadata = {{"path", "store.sqlite"}}}, "full");
  for (int i = 0; i < 10; ++i) {
    const std::optional<v1::Task> task = a_.Take();
    ASSERT_TRUE(task) << i;
    EXPECT_EQ(Activity(job), "tile 1 of 2");
    a_.GiveUp(*task, full, i % 2 == 0);
    EXPECT_EQ(Activity(job), kFullState);
    EXPECT_FALSE(a_.Take()) << "the job backs off as a whole";
    service_.Advance(absl::Minutes(1));
  }
  EXPECT_EQ(KeptRetries(job), 1);
  ExpectNothingCounted(job);
  EXPECT_EQ(a_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(RoomTest, ATaskThatFoundNoRoomMayReturnToItsWorkerThoughThereIsAnother) {
  SubmitTwoTiles();
  ASSERT_OK(b_.Register());
  const v1::Task task = *a_.Take();
  a_.GiveUp(task, MakeError({.reason = v1::DISK_FULL}, "full"));
  service_.Advance(absl::Seconds(1));
  EXPECT_EQ(a_.Take()->name(), task.name());
}

TEST_F(RoomTest, ATaskThatIsDoneEndsTheWait) {
  const std::string job = SubmitTwoTiles();
  const v1::Task first = *a_.Take();
  service_.files().SetFreeBytes(0);
  EXPECT_FALSE(b_.Take());
  service_.files().SetFreeBytes(std::nullopt);
  EXPECT_EQ(Activity(job), "tile 1 of 2") << "it goes on";
  EXPECT_FALSE(b_.Take()) << "it backs off";
  EXPECT_OK(a_.Deliver(first));
  EXPECT_EQ(Activity(job), "waiting");
  const std::optional<v1::Task> second = b_.Take();
  ASSERT_TRUE(second);
  EXPECT_OK(b_.Deliver(*second));
  service_.CheckResult(service_.Get(job));
}

TEST_F(RoomTest, AJobForWhichThereIsRoomIsServedMeanwhile) {
  const std::string large = service_.Submit(service_.Simulate(16));
  service_.clock.Advance(std::chrono::seconds(1));
  const std::string small = service_.Submit(service_.Simulate(4));
  service_.files().SetFreeBytes(16 * 16 * 16);
  EXPECT_EQ(a_.Take()->name(), TaskName(small, 0));
  EXPECT_THAT(Activity(large), ::testing::StartsWith("waiting for room in the spool"));
  EXPECT_EQ(service_.Get(large).state(), v1::PENDING);
}

TEST_F(RoomTest, AWatcherIsToldOfTheWait) {
  const std::string job = SubmitTwoTiles();
  std::vector<std::string> told;
  EXPECT_OK(service_.jobs().Watch(
      JobService::kOwner, job, 0,
      [&](const v1::JobEvent& event) {
        if (!event.has_progress()) return true;
        told.push_back(event.progress().activity());
        if (told.size() > 1) return false;
        service_.files().SetFreeBytes(3);
        EXPECT_FALSE(a_.Take());
        return true;
      },
      kNobodyLeft));
  EXPECT_THAT(told, ::testing::ElementsAre("waiting", "waiting for room in the spool: 32 bytes needed, 3 free"));
}

TEST_F(RoomTest, AWaitingWorkerIsGivenTheTaskOnceThereIsRoom) {
  Dispatcher::Options patient = JobService::DefaultOptions();
  patient.poll = absl::Minutes(1);
  JobService service(patient);
  TestWorker worker(service, "w");
  ASSERT_OK(worker.Register());
  const std::string job = service.Submit(service.Simulate());
  service.files().SetFreeBytes(0);
  std::optional<v1::Task> task;
  std::thread waiting([&] { task = worker.Take(); });
  const auto waits = [&] { return service.Get(job).progress().activity() != "waiting"; };
  while (!waits()) std::this_thread::yield();
  service.files().SetFreeBytes(std::nullopt);
  service.Advance(absl::Seconds(1));
  waiting.join();
  EXPECT_TRUE(task);
}

}  // namespace
}  // namespace deconvoy::server
