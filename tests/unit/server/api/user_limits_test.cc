#include "server/api/user_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "server/api/idle_streams.h"
#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::deconvoy::testing::FakeClock;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(UserLimits, OneUserLeavesRoomForOthers) {
  FakeClock clock;
  UserLimits limits({.open_calls = 3, .open_calls_each = 2, .calls_per_second = 0}, clock);
  EXPECT_OK(limits.Enter("ann", v1::USER));
  EXPECT_OK(limits.Enter("ann", v1::USER));
  const absl::Status third = limits.Enter("ann", v1::USER);
  EXPECT_EQ(InfoOf(third).reason(), v1::TOO_MANY_STREAMS);
  EXPECT_EQ(InfoOf(third).metadata().at("limit"), "2");
  limits.Leave("ann", v1::USER);
  EXPECT_OK(limits.Enter("bob", v1::USER));
  EXPECT_EQ(InfoOf(limits.Enter("cid", v1::USER)).reason(), v1::TOO_MANY_STREAMS)
      << "there is no room for a fourth call";
  limits.Leave("cid", v1::USER);
  limits.Leave("ann", v1::USER);
  EXPECT_OK(limits.Enter("cid", v1::USER));
}

TEST(UserLimits, AdministratorsAreNotShutOut) {
  FakeClock clock;
  UserLimits limits({.open_calls = 2, .open_calls_each = 2, .calls_per_second = 0, .admin_calls = 2}, clock);
  EXPECT_OK(limits.Enter("ann", v1::USER));
  EXPECT_OK(limits.Enter("ann", v1::USER));
  for (const char* user : {"bob", "cid", "dee", "eve"}) {
    EXPECT_EQ(InfoOf(limits.Enter(user, v1::USER)).reason(), v1::TOO_MANY_STREAMS) << user;
  }
  EXPECT_OK(limits.Enter("root", v1::ADMIN));
  EXPECT_OK(limits.Enter("boss", v1::ADMIN));
  EXPECT_EQ(InfoOf(limits.Enter("boss", v1::ADMIN)).reason(), v1::TOO_MANY_STREAMS) << "the reserve is used up";
  limits.Leave("boss", v1::ADMIN);
  limits.Leave("boss", v1::ADMIN);
  EXPECT_OK(limits.Enter("boss", v1::ADMIN));
  EXPECT_EQ(InfoOf(limits.Enter("ann", v1::USER)).reason(), v1::TOO_MANY_STREAMS);
}

TEST(UserLimits, CallsComeAtARateAndInBursts) {
  FakeClock clock;
  UserLimits limits({.open_calls = 100, .open_calls_each = 100, .calls_per_second = 10}, clock);
  const auto call = [&](const std::string& user) {
    const absl::Status status = limits.Enter(user, v1::USER);
    limits.Leave(user, v1::USER);
    return status;
  };
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(call("ann").ok()) << i;
  const absl::Status refused = call("ann");
  EXPECT_EQ(InfoOf(refused).reason(), v1::TOO_MANY_CALLS);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(InfoOf(refused).metadata().at("retry_after_ms"), "100");
  EXPECT_TRUE(call("bob").ok()) << "others are not concerned";
  clock.Advance(milliseconds(100));
  EXPECT_OK(call("ann"));
  EXPECT_FALSE(call("ann").ok());
  clock.SetWall(std::chrono::hours(24));
  EXPECT_FALSE(call("ann").ok()) << "time is not the wall clock's";
  clock.Advance(seconds(60));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(call("ann").ok()) << i;
  EXPECT_FALSE(call("ann").ok()) << "rest beyond two seconds earns nothing";
}

TEST(UserLimits, ManyUsersComeAndGo) {
  FakeClock clock;
  UserLimits limits({.open_calls = 10, .open_calls_each = 1, .calls_per_second = 1}, clock);
  ASSERT_OK(limits.Enter("stays", v1::USER));
  for (int i = 0; i < 10'000; ++i) {
    const std::string user = "user" + std::to_string(i);
    EXPECT_OK(limits.Enter(user, v1::USER));
    limits.Leave(user, v1::USER);
    if (i % 50 == 0) clock.Advance(seconds(3));
  }
  EXPECT_EQ(InfoOf(limits.Enter("stays", v1::USER)).reason(), v1::TOO_MANY_STREAMS) << "is still known";
}

TEST(IdleStreams, EndsWhatSaysNothing) {
  FakeClock clock;
  IdleStreams streams(seconds(10), clock, milliseconds(0));
  int busy = 0, idle = 0;
  IdleStreams::Watched one(streams, [&] { ++busy; }), other(streams, [&] { ++idle; });
  for (int i = 0; i < 5; ++i) {
    clock.Advance(seconds(4));
    one.Touch();
    streams.Tick();
  }
  EXPECT_EQ(busy, 0);
  EXPECT_EQ(idle, 1) << "once";
  EXPECT_TRUE(other.ended());
  EXPECT_FALSE(one.ended());
}

TEST(IdleStreams, ZeroIsForEver) {
  FakeClock clock;
  IdleStreams streams(milliseconds(0), clock);
  IdleStreams::Watched stream(streams, [] { ADD_FAILURE(); });
  clock.Advance(std::chrono::hours(1000));
  streams.Tick();
  EXPECT_FALSE(stream.ended());
}

TEST(IdleStreams, ATickerLooksByItself) {
  FakeClock clock;
  IdleStreams streams(seconds(10), clock, milliseconds(1));
  std::atomic<bool> ended = false;
  IdleStreams::Watched stream(streams, [&] { ended = true; });
  clock.Advance(seconds(11));
  while (!ended) std::this_thread::sleep_for(milliseconds(1));
}

}  // namespace
}  // namespace deconvoy::server
