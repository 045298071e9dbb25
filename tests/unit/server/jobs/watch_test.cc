#include <atomic>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class WatchTest : public ::testing::Test {
 protected:
  // A job of 2 time points and 2 channels, cut into 2 tiles: one analysis and 8 tiles.
  v1::JobSpec Spec(const std::string& initial = "mean") {
    return service_.Deconvolve({2, 2, 2, 8, 4}, {2, 4, 4}, initial);
  }

  JobService service_;
  TestWorker worker_{service_, "w1"};
};

TEST_F(WatchTest, WatchReplaysEverythingThatIsKept) {
  const std::string job = service_.Submit(Spec());
  const v1::Task analysis = *worker_.Take();
  worker_.GiveUp(analysis, absl::InternalError("broken"));
  service_.Advance(absl::Seconds(1));
  worker_.WorkOff();
  const std::vector<v1::JobEvent> events = service_.WatchAll(job);
  std::vector<v1::JobState> states;
  int retries = 0;
  uint64_t last = 0;
  for (const v1::JobEvent& event : events) {
    EXPECT_EQ(event.sequence(), ++last) << "without gaps";
    if (event.event_case() == v1::JobEvent::kState) states.push_back(event.state());
    if (event.has_retry()) {
      ++retries;
      EXPECT_EQ(event.retry().task(), analysis.name());
      EXPECT_EQ(event.retry().attempt(), 1U);
      EXPECT_FALSE(event.retry().lost_lease());
      EXPECT_EQ(event.retry().error().message(), "broken");
    }
  }
  EXPECT_THAT(states, ::testing::ElementsAre(v1::PENDING, v1::RUNNING, v1::SUCCEEDED));
  EXPECT_EQ(retries, 1);
  ASSERT_TRUE(events.back().has_ended());
  EXPECT_EQ(events.back().ended().state(), v1::SUCCEEDED);
  EXPECT_EQ(events.back().ended().name(), JobName(job));
  EXPECT_EQ(events.back().ended().last_sequence(), last);
  EXPECT_EQ(service_.Get(job).last_sequence(), last);

  const std::vector<v1::JobEvent> rest = service_.WatchAll(job, 2);
  ASSERT_EQ(rest.size(), events.size() - 2);
  EXPECT_EQ(rest.front().sequence(), 3U);
}

TEST_F(WatchTest, TheEndIsToldAlsoToThoseWhoHaveSeenIt) {
  const std::string job = service_.Submit(Spec());
  worker_.WorkOff();
  const uint64_t last = service_.Get(job).last_sequence();
  for (const uint64_t after : {last, last + 7}) {
    const std::vector<v1::JobEvent> events = service_.WatchAll(job, after);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_TRUE(events.front().has_ended());
    EXPECT_EQ(events.front().sequence(), last);
  }
}

TEST_F(WatchTest, TheEndIsToldAlsoToThoseWhoAskForWhatComesLater) {
  const std::string job = service_.Submit(Spec());
  std::atomic<bool> attached = false, ended = false;
  std::thread watcher([&] {
    EXPECT_OK(service_.jobs().Watch(
        JobService::kOwner, job, 1000,
        [&](const v1::JobEvent& event) {
          attached = true;
          if (event.has_ended()) ended = true;
          return true;
        },
        kNobodyLeft));
  });
  while (!attached) std::this_thread::yield();
  worker_.WorkOff();
  watcher.join();
  EXPECT_TRUE(ended);
}

TEST_F(WatchTest, WatchersFollowAJobLive) {
  const std::string job = service_.Submit(Spec());
  std::vector<std::thread> watchers;
  std::vector<std::vector<v1::JobEvent>> seen(4);
  for (auto& events : seen) {
    watchers.emplace_back([&] {
      // The last watcher is slow; it must not delay the others or the job, and still gets every kept event.
      const bool slow = &events == &seen.back();
      EXPECT_OK(service_.jobs().Watch(
          JobService::kOwner, job, 0,
          [&](const v1::JobEvent& event) {
            if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(20));
            events.push_back(event);
            return true;
          },
          kNobodyLeft));
    });
  }
  while (const std::optional<v1::Task> task = worker_.Take()) {
    for (uint32_t i = 1; i <= 3; ++i) EXPECT_TRUE(worker_.Continue(*task, i));
    EXPECT_OK(worker_.Deliver(*task));
  }
  for (std::thread& watcher : watchers) watcher.join();
  for (const auto& events : seen) {
    uint64_t last = 0;
    for (const v1::JobEvent& event : events) {
      if (event.has_progress()) {
        EXPECT_EQ(event.sequence(), last);
      } else {
        EXPECT_EQ(event.sequence(), ++last);
      }
    }
    EXPECT_TRUE(events.back().has_ended());
  }
}

TEST_F(WatchTest, AWatcherIsToldWhenNoWorkerIsLeftThatCouldGoOn) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 32, 32, 32}, {0, 0, 0});
  spec.mutable_deconvolve()->mutable_tile()->set_whole(true);
  const std::string job = service_.Submit(spec);
  const std::string lacking = "waiting for a worker with 1 MiB of memory";
  EXPECT_EQ(service_.Get(job).progress().activity(), lacking + ": none takes tasks");
  TestWorker small(service_, "small");
  small.registration.set_memory_budget_bytes(1000);
  ASSERT_OK(small.Register());
  worker_.registration.set_process_id(7);
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting");
  std::vector<std::string> told;
  std::thread watcher([&] {
    EXPECT_OK(service_.jobs().Watch(
        JobService::kOwner, job, 0,
        [&](const v1::JobEvent& event) {
          if (!event.has_progress()) return true;
          told.push_back(event.progress().activity());
          if (told.size() == 1) service_.dispatcher().WorkerExited(7, false);
          return told.size() < 2;
        },
        kNobodyLeft));
  });
  watcher.join();
  EXPECT_THAT(told, ::testing::ElementsAre("waiting", lacking));
  EXPECT_FALSE(small.Take());
}

TEST_F(WatchTest, AWatcherThatLeavesIsLetGo) {
  const std::string job = service_.Submit(Spec());
  EXPECT_EQ(service_.WatchAll(job, 0, 1).size(), 1U) << "send refused more";
  const absl::Status gone = service_.jobs().Watch(
      JobService::kOwner, job, 0, [](const auto&) { return true; }, [] { return true; });
  EXPECT_TRUE(absl::IsCancelled(gone));
}

TEST_F(WatchTest, StoppingEndsWatchers) {
  const std::string job = service_.Submit(Spec());
  absl::Status status;
  std::thread watcher([&] {
    status = service_.jobs().Watch(
        JobService::kOwner, job, 0, [](const auto&) { return true; }, kNobodyLeft);
  });
  service_.jobs().Stop();
  watcher.join();
  EXPECT_EQ(ReasonOf(status), v1::SHUTTING_DOWN);
}

TEST_F(WatchTest, AStoppingServerTellsThoseWhoAttachAgainNothingElse) {
  const std::string job = service_.Submit(Spec());
  service_.jobs().Stop();
  int heard = 0;
  const absl::Status status = service_.jobs().Watch(
      JobService::kOwner, job, 0, [&heard](const auto&) { return ++heard > 0; }, kNobodyLeft);
  EXPECT_EQ(ReasonOf(status), v1::SHUTTING_DOWN);
  EXPECT_EQ(heard, 0);
}
}  // namespace
}  // namespace deconvoy::server
