#include "worker/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/support/test_support.h"
#include "tests/unit/worker/session/session_fixture.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

TEST_F(Sessions, IntroducesItselfWithItsCredential) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  const std::vector<v1::SynchronizeRequest> requests = workers_.Requests();
  const v1::SynchronizeRequest& first = requests[0];
  EXPECT_EQ(first.worker(), "workers/w1");
  EXPECT_EQ(first.registration().backend(), "cpu");
  EXPECT_EQ(first.free_slots(), 1U);
  EXPECT_FALSE(requests[1].has_registration());
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.credentials[0] == "Bearer secret"; }));
}

TEST_F(Sessions, IntroducesItselfAgainWhenAsked) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  workers_.AskToRegister();
  EXPECT_TRUE(
      workers_.WaitFor([&] { return workers_.requests.back().has_registration() && workers_.requests.size() > 2; }));
}

// A server that starts again has made another nonce.
TEST_F(Sessions, ReadsTheSpoolsNonceWheneverItIntroducesItself) {
  spool_ = folder_.path();
  const std::filesystem::path nonce = spool_ / "nonce";
  std::ofstream(nonce) << "first";
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  EXPECT_EQ(workers_.Requests()[0].registration().spool_nonce(), "first");
  const auto introduced_with = [&](const std::string& expected) {
    workers_.AskToRegister();
    return workers_.WaitFor([&] {
      return std::any_of(workers_.requests.begin() + 1, workers_.requests.end(), [&](const auto& request) {
        return request.has_registration() && request.registration().spool_nonce() == expected;
      });
    });
  };
  std::ofstream(nonce) << "second";
  EXPECT_TRUE(introduced_with("second"));
  std::filesystem::remove(nonce);
  EXPECT_TRUE(introduced_with("")) << "it goes on without the spool";
}

TEST_F(Sessions, StreamsInputAndOutput) {
  Start();
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  const testing::Delivered delivered = workers_.Deliveries()[0];
  EXPECT_EQ(delivered.header.worker(), "workers/w1");
  EXPECT_EQ(delivered.header.task(), "jobs/j/tasks/1");
  EXPECT_EQ(delivered.header.token(), 17U);
  EXPECT_FALSE(delivered.header.in_scratch_file());
  EXPECT_EQ(delivered.bytes, Numbers(64));
  EXPECT_EQ(delivered.result.tile().compute_seconds(), 1.5);
  ASSERT_EQ(delivered.result.piece_crc32c_size(), 1);
  EXPECT_EQ(delivered.result.piece_crc32c(0), Crc32c(Numbers(64)));
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.fetches == 1; }));
}

TEST_F(Sessions, SendsLargeOutputsInChunks) {
  executor_.extra = Numbers(3 * limits::kChunkBytes + 100);
  v1::Task task = Task();
  task.clear_inputs();
  *task.mutable_outputs(0)->mutable_box() =
      ToProto(FrameBox{0, 0, {{}, {1, 1, static_cast<int64_t>(executor_.extra.size())}}});
  Start();
  workers_.Give(task);
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(workers_.Deliveries()[0].bytes, executor_.extra);
  EXPECT_EQ(workers_.Deliveries()[0].chunk_sizes,
            (std::vector<size_t>{limits::kChunkBytes, limits::kChunkBytes, limits::kChunkBytes, 100}));
}

TEST_F(Sessions, UsesTheSpoolWhereItSeesIt) {
  Start();
  workers_.Give(Task(/*same_host=*/true));
  ASSERT_TRUE(Delivered(1));
  EXPECT_TRUE(workers_.Deliveries()[0].header.in_scratch_file());
  EXPECT_TRUE(workers_.Deliveries()[0].bytes.empty());
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.fetches == 0; }));
  std::ifstream file(folder_.path() / "scratch", std::ios::binary);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  ASSERT_EQ(written.size(), 64U);
  EXPECT_EQ(std::memcmp(written.data(), Numbers(64).data(), 64), 0);
}

TEST_F(Sessions, ABusyWorkerCallsOftenAndTellsItsProgress) {
  executor_.hold = true;
  Start();
  workers_.Give(Task());
  ASSERT_TRUE(workers_.WaitFor([&] {
    const auto& times = workers_.request_times;
    return std::count_if(workers_.requests.begin(), workers_.requests.end(),
                         [](const auto& r) { return r.tasks_size() == 1; }) >= 5 &&
           times.back() - times[times.size() - 2] < 500ms;
  }));
  const std::vector<v1::SynchronizeRequest> requests = workers_.Requests();
  const v1::SynchronizeRequest& last = requests.back();
  EXPECT_EQ(last.free_slots(), 1U);
  EXPECT_EQ(last.tasks(0).token(), 17U);
  EXPECT_GT(last.tasks(0).iteration(), requests[requests.size() - 2].tasks(0).iteration());
  EXPECT_EQ(last.tasks(0).iterations_total(), 1000U);
  EXPECT_GE(last.tasks(0).objective().iteration(), last.tasks(0).iteration());
  EXPECT_EQ(last.tasks(0).objective().residual_squares(), 4);
}

TEST_F(Sessions, AsksForMoreAsSoonAsATaskIsDone) {
  Start();
  workers_.Give(Task());
  workers_.Give(Task());
  workers_.Give(Task());
  EXPECT_TRUE(Delivered(3));
  EXPECT_EQ(executor_.started, 3);
}

TEST_F(Sessions, StopsACancelledTaskAndTakesTheNext) {
  executor_.hold = true;
  Start();
  workers_.Give(Task());
  ASSERT_TRUE(
      workers_.WaitFor([&] { return !workers_.requests.empty() && workers_.requests.back().tasks_size() == 1; }));
  workers_.Cancel("jobs/j/tasks/1");
  ASSERT_TRUE(workers_.WaitFor([&] {
    return !workers_.requests.empty() && workers_.requests.back().tasks().empty() && executor_.started == 1;
  }));
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
  executor_.hold = false;
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(executor_.started, 2);
}

TEST_F(Sessions, ReportsAFailureOnceWithItsLog) {
  executor_.failure = MakeError({.reason = v1::BAD_OUTPUT}, "the result is NaN");
  Start();
  workers_.Give(Task());
  const v1::TaskStatus status = WaitForGivenUp();
  EXPECT_EQ(status.token(), 17U);
  EXPECT_EQ(status.error().info().reason(), v1::BAD_OUTPUT);
  EXPECT_EQ(status.error().message(), "the result is NaN");
  EXPECT_TRUE(status.retry_elsewhere());
  EXPECT_THAT(status.log_excerpt(), HasSubstr("about to fail"));
  EXPECT_LE(status.log_excerpt().size(), limits::kLogExcerptBytes);
}

TEST_F(Sessions, WhatNoRetryCuresIsSaidSo) {
  executor_.failure = MakeError({.reason = v1::NOT_FINITE_INPUT}, "NaN at z=1");
  Start();
  workers_.Give(Task());
  EXPECT_FALSE(WaitForGivenUp().retry_elsewhere());
}

TEST_F(Sessions, ADeliveryUnderALostLeaseIsDropped) {
  Start();
  workers_.FailDeliveries({MakeError({.reason = v1::STALE_LEASE}, "the lease was lost")});
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(2));
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
}

TEST_F(Sessions, ADeliveryIsTriedAgainWhileTheServerIsAway) {
  Start();
  workers_.FailDeliveries({absl::UnavailableError("stopping"), absl::CancelledError("broken off"),
                           absl::ResourceExhaustedError("Server Threadpool Exhausted")});
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(4));
  EXPECT_EQ(workers_.Deliveries()[3].bytes, Numbers(64));
  EXPECT_EQ(executor_.started, 1);
}

TEST_F(Sessions, ADeliveryThatTheDiskRefusesIsReported) {
  Start();
  workers_.FailDeliveries({MakeError({.reason = v1::DISK_FULL}, "no room")});
  workers_.Give(Task());
  const v1::TaskStatus status = WaitForGivenUp();
  EXPECT_EQ(status.error().info().reason(), v1::DISK_FULL);
  EXPECT_TRUE(status.retry_elsewhere());
}

TEST_F(Sessions, FindsAServerThatComesLate) {
  StartSession();
  std::this_thread::sleep_for(200ms);
  StartServer();
  EXPECT_TRUE(workers_.WaitFor([&] { return !workers_.requests.empty(); }));
}

// A stopping server breaks calls off; the worker waits for it as for one that is away.
TEST_F(Sessions, ACallThatTheServerBreaksOffIsTriedAgainWithPauses) {
  workers_.FailSynchronize(absl::CancelledError("broken off"));
  Start();
  std::this_thread::sleep_for(200ms);
  const size_t calls = workers_.Requests().size();
  EXPECT_GE(calls, 2U);
  EXPECT_LE(calls, 100U);
  workers_.FailSynchronize(absl::OkStatus());
  workers_.Give(Task());
  EXPECT_TRUE(Delivered(1));
}

TEST_F(Sessions, KeepsItsTaskOverARestartOfTheServer) {
  StartBusy(Task());
  server_->Stop();
  std::this_thread::sleep_for(300ms);
  const size_t before = workers_.Requests().size();
  server_->Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() > before; }));
  EXPECT_EQ(workers_.Requests()[before].tasks_size(), 1);
  executor_.hold = false;
  EXPECT_TRUE(Delivered(1));
  EXPECT_EQ(executor_.started, 1);
}

TEST_F(Sessions, EndsWhenTheServerRefusesIt) {
  workers_.FailSynchronize(MakeError({.reason = v1::WORKER_REFUSED}, "another contract version"));
  Start();
  const absl::Status status = Join();
  EXPECT_EQ(ReasonOf(status), v1::WORKER_REFUSED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another contract version"));
}

// The server comes back with another credential: only a person can mend that.
TEST_F(Sessions, EndsWithWhatToDoWhenItsCredentialIsRefused) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  server_->Stop();
  workers_.FailSynchronize(MakeError({.reason = v1::UNAUTHENTICATED_WORKER, .remedy = "Give it the new credential."},
                                     "a credential that is not this server's"));
  server_->Start();
  const absl::Status status = Join();
  EXPECT_EQ(ReasonOf(status), v1::UNAUTHENTICATED_WORKER);
  EXPECT_EQ(InfoOf(status).remedy(), "Give it the new credential.");
}

TEST_F(Sessions, NeedsACredential) {
  std::filesystem::remove(folder_.path() / "credential");
  StartSession();
  EXPECT_EQ(ReasonOf(Join()), v1::UNAUTHENTICATED_WORKER);
}

TEST_F(Sessions, DrainingFinishesTheTaskAndSaysGoodbye) {
  StartBusy(Task());
  session_->Drain();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.back().draining(); }));
  executor_.hold = false;
  EXPECT_OK(Join());
  EXPECT_EQ(workers_.Deliveries().size(), 1U);
  const v1::SynchronizeRequest last = workers_.Requests().back();
  EXPECT_TRUE(last.draining());
  EXPECT_TRUE(last.tasks().empty());
  EXPECT_EQ(last.free_slots(), 0U);
}

TEST_F(Sessions, DrainingEndsALongPollAtOnce) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  const auto start = std::chrono::steady_clock::now();
  session_->Drain();
  EXPECT_OK(Join());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST_F(Sessions, StaysWhereItIsDrainedAndTakesTasksAfterwards) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  workers_.Drain(true);
  const size_t calls = workers_.Requests().size();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= calls + 3; }));
  EXPECT_FALSE(workers_.Requests().back().draining()) << "it does not leave";
  workers_.Drain(false);
  workers_.Give(Task());
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.deliveries.size() == 1; }));
}

TEST_F(Sessions, LeavingGivesUpTheTaskAtHand) {
  StartBusy(Task());
  session_->Leave();
  EXPECT_OK(Join());
  EXPECT_TRUE(workers_.Deliveries().empty());
}

TEST_F(Sessions, ADrainingWorkerDoesNotWaitForAServerThatIsGone) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  server_->Stop();
  session_->Drain();
  EXPECT_OK(JoinSoon());
}

// It has noticed, and waits in a call or between two.
TEST_F(Sessions, ADrainingWorkerLeavesAServerThatHasBeenAwayForLong) {
  Start();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.size() >= 2; }));
  server_->Stop();
  std::this_thread::sleep_for(500ms);
  session_->Drain();
  EXPECT_OK(JoinSoon());
}

TEST_F(Sessions, ADrainingWorkerThatNeverFoundItsServerEnds) {
  StartSession();
  std::this_thread::sleep_for(300ms);
  session_->Drain();
  EXPECT_OK(JoinSoon());
}

TEST_F(Sessions, LeavingDoesNotWaitForAServerThatIsAway) {
  StartBusy(Task());
  server_->Stop();
  std::this_thread::sleep_for(300ms);
  session_->Leave();
  EXPECT_OK(JoinSoon());
}

// The farewell is half a second here, and a call that waits for the server lasts a second at most.
TEST_F(Sessions, ADrainingWorkerGivesUpItsTaskWhenTheServerStaysAway) {
  StartBusy(Task());
  server_->Stop();
  session_->Drain();
  EXPECT_OK(JoinSoon());
  EXPECT_TRUE(workers_.Deliveries().empty());
}

TEST_F(Sessions, ADrainingWorkerDoesNotDeliverForEverToAServerThatIsAway) {
  StartBusy(Task(/*same_host=*/true));
  server_->Stop();
  executor_.hold = false;
  std::this_thread::sleep_for(300ms);
  session_->Drain();
  EXPECT_OK(JoinSoon());
}

}  // namespace
}  // namespace deconvoy::worker
