#include "client/cpp/retry.h"

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include <thread>

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
