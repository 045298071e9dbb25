#include "client/cpp/retry.h"

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

const RetryPolicy kPolicy{
    .initial = absl::Milliseconds(100), .longest = absl::Seconds(1), .factor = 2, .total = absl::Seconds(10)};

TEST(RetryTest, WaitsGrowToTheLongest) {
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 0, absl::ZeroDuration(), 1.0), absl::Milliseconds(100));
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 1, absl::ZeroDuration(), 1.0), absl::Milliseconds(200));
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 3, absl::ZeroDuration(), 1.0), absl::Milliseconds(800));
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 4, absl::ZeroDuration(), 1.0), absl::Seconds(1));
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 1000, absl::ZeroDuration(), 1.0), absl::Seconds(1));
}

TEST(RetryTest, WaitsAreDrawnFromTheUpperHalf) {
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 0, absl::ZeroDuration(), 0.0), absl::Milliseconds(50));
  EXPECT_EQ(WaitBeforeRetry(kPolicy, 0, absl::ZeroDuration(), 0.5), absl::Milliseconds(75));
}

TEST(RetryTest, GivesUpWhenTheTimeIsOver) {
  EXPECT_TRUE(WaitBeforeRetry(kPolicy, 0, absl::Seconds(9.9), 1.0).has_value());
  EXPECT_FALSE(WaitBeforeRetry(kPolicy, 0, absl::Seconds(9.95), 1.0).has_value());
}

TEST(RetrierTest, PassesOtherErrorsOn) {
  Retrier retrier(kPolicy, {});
  const absl::Status error = MakeError({.reason = v1::INVALID_FIELD}, "wrong");
  EXPECT_EQ(retrier.Pause(error), error);
  EXPECT_OK(retrier.Pause(absl::UnavailableError("gone")));
}

TEST(RetrierTest, StandsByTheErrorWhenTheTimeIsOver) {
  Retrier retrier({.initial = absl::Milliseconds(20), .total = absl::Milliseconds(30)}, {});
  EXPECT_OK(retrier.Pause(absl::UnavailableError("gone")));
  EXPECT_TRUE(absl::IsUnavailable(retrier.Pause(absl::UnavailableError("gone"))));
}

TEST(RetrierTest, StartsAnewAfterAReset) {
  Retrier retrier({.initial = absl::Milliseconds(20), .total = absl::Milliseconds(30)}, {});
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(retrier.Pause(absl::UnavailableError("gone")));
    retrier.Reset();
  }
}

TEST(RetrierTest, TellsOfEveryPauseAndOnceThatItIsOver) {
  std::vector<Outage> heard;
  const auto observer = [&heard](const Outage& outage) { heard.push_back(outage); };
  Retrier retrier(kPolicy, {}, observer, [](absl::Duration, const std::stop_token&) {});
  retrier.Reset();
  EXPECT_TRUE(heard.empty()) << "nothing was wrong";
  EXPECT_OK(retrier.Pause(absl::UnavailableError("gone")));
  EXPECT_OK(retrier.Pause(absl::UnavailableError("still gone")));
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_FALSE(heard[1].over);
  EXPECT_EQ(heard[1].error.message(), "still gone");
  EXPECT_LE(heard[1].tries_for, heard[0].tries_for);
  EXPECT_LE(heard[0].tries_for, kPolicy.total);
  EXPECT_GT(heard[1].tries_for, kPolicy.total - absl::Seconds(5));
  retrier.Reset();
  retrier.Reset();
  ASSERT_EQ(heard.size(), 3u);
  EXPECT_TRUE(heard[2].over);
  EXPECT_OK(retrier.Pause(absl::UnavailableError("gone again")));
  EXPECT_FALSE(retrier.Pause(absl::InternalError("an answer, if a bad one")).ok());
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_TRUE(heard[4].over);
}

TEST(RetrierTest, WhatIsNotTriedAgainIsNoOutage) {
  int heard = 0;
  Retrier retrier({.initial = absl::Seconds(2), .total = absl::Milliseconds(1)}, {},
                  [&heard](const Outage&) { ++heard; });
  EXPECT_FALSE(retrier.Pause(absl::InternalError("broken")).ok());
  EXPECT_FALSE(retrier.Pause(absl::UnavailableError("the time is over")).ok());
  EXPECT_EQ(heard, 0);
}

TEST(RetrierTest, StopEndsTheWaitAtOnce) {
  std::stop_source stop;
  Retrier retrier({.initial = absl::Hours(1), .longest = absl::Hours(1), .total = absl::Hours(2)}, stop.get_token());
  std::jthread stopper([&stop] {
    absl::SleepFor(absl::Milliseconds(20));
    stop.request_stop();
  });
  EXPECT_TRUE(absl::IsCancelled(retrier.Pause(absl::UnavailableError("gone"))));
  EXPECT_TRUE(absl::IsCancelled(retrier.Pause(absl::UnavailableError("gone")))) << "and later ones do not wait at all";
}

}  // namespace
}  // namespace deconvoy::client
