#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::SizeIs;

v1::JobEvent State(v1::JobState state) {
  v1::JobEvent event;
  event.set_state(state);
  return event;
}

v1::JobEvent Found(const std::string& message) {
  v1::JobEvent event;
  event.mutable_finding()->set_message(message);
  return event;
}

v1::JobEvent At(double fraction) {
  v1::JobEvent event;
  event.mutable_progress()->set_fraction(fraction);
  return event;
}

class WatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ConnectOptions options;
    options.retry = {
        .initial = absl::Milliseconds(2), .longest = absl::Milliseconds(10), .total = absl::Milliseconds(300)};
    options.on_outage = [this](const Outage& outage) { heard_.push_back(outage.over ? "back" : "away"); };
    ASSERT_OK_AND_ASSIGN(Client connected, Client::Connect(service_.address(), options));
    client_ = std::make_unique<Client>(connected);
    service_.SetEvents({State(v1::PENDING), Found("a"), At(0.1), State(v1::RUNNING), At(0.5), Found("b"), At(0.9)});
    v1::JobSpec spec;
    spec.mutable_project()->set_input_volume("volumes/a");
    spec.mutable_project()->set_axis(v1::ProjectSpec::Z);
    ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->Submit(spec));
    job_ = job.name();
  }

  // Watches, and keeps what was heard: findings by message, states by name, the end as `end`; outages as `away` and
  // `back`.
  absl::StatusOr<v1::Job> Watch(uint64_t after = 0, std::stop_token stop = {}) {
    return client_->Watch(
        job_, after,
        [this](const v1::JobEvent& event) {
          if (event.has_finding()) heard_.push_back(event.finding().message());
          if (event.event_case() == v1::JobEvent::kState) heard_.push_back(v1::JobState_Name(event.state()));
          if (event.has_ended()) heard_.push_back("end");
        },
        stop);
  }

  FakeService service_;
  std::unique_ptr<Client> client_;
  std::string job_;
  std::vector<std::string> heard_;
};

TEST_F(WatchTest, HearsEverythingToTheEnd) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Watch());
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_THAT(heard_, ElementsAre("PENDING", "a", "RUNNING", "b", "end"));
}

TEST_F(WatchTest, StartsAfterASequenceNumber) {
  ASSERT_OK(Watch(2));
  EXPECT_THAT(heard_, ElementsAre("RUNNING", "b", "end"));
}

TEST_F(WatchTest, ReattachesAndHearsKeptEventsOnce) {
  service_.BreakStreams("Jobs.Watch", {2, 0, 3});
  ASSERT_OK(Watch());
  EXPECT_THAT(heard_, ElementsAre("PENDING", "a", "away", "away", "back", "RUNNING", "away", "back", "b", "end"));
  EXPECT_EQ(service_.calls("Jobs.Watch"), 4);
}

TEST_F(WatchTest, GivesUpWhenTheServerStaysAway) {
  service_.FailNext("Jobs.Watch", 1'000'000, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  EXPECT_TRUE(absl::IsUnavailable(Watch().status()));
  EXPECT_THAT(heard_, SizeIs(Gt(5)));
  EXPECT_THAT(heard_, Each("away"));
}

TEST_F(WatchTest, AFailedJobIsAnAnswerNotAnError) {
  service_.SetOutcome(MakeError({.reason = v1::BAD_PSF, .remedy = "mend it"}, "the PSF is zero"));
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Watch());
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.error().info().reason(), v1::BAD_PSF);
}

TEST_F(WatchTest, AnUnknownJobIsNotTriedAgain) {
  job_ = "jobs/nobody";
  EXPECT_TRUE(absl::IsNotFound(Watch().status()));
  EXPECT_EQ(service_.calls("Jobs.Watch"), 1);
}

TEST_F(WatchTest, StopEndsTheWatchingNotTheJob) {
  service_.HoldJobs();
  std::stop_source stop;
  std::jthread stopper([&stop] {
    absl::SleepFor(absl::Milliseconds(50));
    stop.request_stop();
  });
  EXPECT_TRUE(absl::IsCancelled(Watch(0, stop.get_token()).status()));
  EXPECT_EQ(service_.calls("Jobs.Cancel"), 0);
  EXPECT_NE(service_.jobs().at(job_).state(), v1::CANCELLED);
}

}  // namespace
}  // namespace deconvoy::client
