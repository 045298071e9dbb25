#include "server/api/refusals.h"

#include <gtest/gtest.h>

#include "tests/support/fake_environment.h"

namespace deconvoy::server {
namespace {

using ::deconvoy::testing::FakeClock;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(AddressOf, IsTheSameForAllConnectionsOfAMachine) {
  EXPECT_EQ(AddressOf("ipv4:10.0.0.9:51230"), "ipv4:10.0.0.9");
  EXPECT_EQ(AddressOf("ipv4:10.0.0.9"), "ipv4:10.0.0.9");
  EXPECT_EQ(AddressOf("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:443"), "ipv6:2001:db8:1:2::/64");
  EXPECT_EQ(AddressOf("ipv6:[2001:db8:1:2::7]:443"), "ipv6:2001:db8:1:2::/64");
  EXPECT_EQ(AddressOf("ipv6:%5Bfe80::1%25eth0%5D:443"), "ipv6:fe80::/64");
  EXPECT_EQ(AddressOf("ipv6:%5B::1%5D:443"), "ipv6:::/64");
  EXPECT_EQ(AddressOf("ipv6:what"), "ipv6");
  EXPECT_EQ(AddressOf("unix:/run/deconvoy.sock"), "unix");
  EXPECT_EQ(AddressOf("unix:"), "unix");
  EXPECT_EQ(AddressOf(""), "");
}

TEST(Refusals, TheFirstOfASecondIsToldAndFewAreAnswered) {
  FakeClock clock;
  Refusals refusals(2, clock);
  const Refusals::Outcome first = refusals.Count("a");
  EXPECT_TRUE(first.told);
  EXPECT_EQ(first.left_out, 0);
  EXPECT_FALSE(first.later);
  clock.Advance(milliseconds(300));
  const Refusals::Outcome second = refusals.Count("a");
  EXPECT_FALSE(second.told);
  EXPECT_FALSE(second.later);
  const Refusals::Outcome third = refusals.Count("a");
  EXPECT_FALSE(third.told);
  EXPECT_EQ(third.later, milliseconds(700));
  EXPECT_TRUE(refusals.Count("b").told) << "others are not concerned";
  clock.SetWall(std::chrono::hours(24));
  EXPECT_TRUE(refusals.Count("a").later) << "time is not the wall clock's";
  clock.Advance(milliseconds(700));
  const Refusals::Outcome next = refusals.Count("a");
  EXPECT_TRUE(next.told);
  EXPECT_EQ(next.left_out, 3);
  EXPECT_FALSE(next.later);
}

TEST(Refusals, QuietAddressesAreForgottenAndWhatWasLeftOutIsTold) {
  FakeClock clock;
  Refusals refusals(2, clock);
  EXPECT_TRUE(refusals.ForgetQuiet().empty());
  refusals.Count("a");
  refusals.Count("a");
  refusals.Count("b");
  clock.Advance(milliseconds(900));
  refusals.Count("c");
  refusals.Count("c");
  EXPECT_TRUE(refusals.ForgetQuiet().empty()) << "it has looked in this second";
  clock.Advance(milliseconds(200));
  const auto quiet = refusals.ForgetQuiet();
  ASSERT_EQ(quiet.size(), 1U) << "of b everything was told, and c is not quiet";
  EXPECT_EQ(quiet[0].address, "a");
  EXPECT_EQ(quiet[0].calls, 1);
  EXPECT_EQ(refusals.Count("a").left_out, 0) << "once";
  const auto rest = refusals.ForgetAll();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].address, "c");
}

TEST(Refusals, ManyAddressesTakeNoMoreThanSome) {
  FakeClock clock;
  Refusals refusals(1, clock);
  constexpr int kCalls = 50'000;
  int64_t told = 0;
  for (int i = 0; i < kCalls; ++i) told += refusals.Count("a" + std::to_string(i)).told ? 1 : 0;
  EXPECT_LT(told, 5000);
  int64_t left_out = 0;
  for (const auto& entry : refusals.ForgetAll()) left_out += entry.calls;
  EXPECT_EQ(told + left_out, kCalls) << "each is accounted for";
  EXPECT_TRUE(refusals.Count("new").told);
}

TEST(Refusals, ZeroIsNoBound) {
  FakeClock clock;
  Refusals refusals(0, clock);
  for (int i = 0; i < 1000; ++i) {
    const Refusals::Outcome outcome = refusals.Count("a");
    EXPECT_TRUE(outcome.told);
    EXPECT_FALSE(outcome.later);
  }
  EXPECT_TRUE(refusals.ForgetAll().empty());
}

}  // namespace
}  // namespace deconvoy::server
