#include "server/schedule/shares.h"

#include <gtest/gtest.h>

#include <cmath>

namespace deconvoy::server {
namespace {

using namespace std::chrono_literals;

class SharesTest : public ::testing::Test {
 protected:
  void Compute(Shares& shares, const std::string& owner, std::chrono::seconds time) {
    shares.Begin(owner, now_);
    now_ += time;
    shares.End(owner, now_);
  }

  Shares::SteadyTime now_{1h};
};

TEST_F(SharesTest, WhatIsComputedIsSpentWhileItIsComputed) {
  Shares shares(absl::Hours(1000), now_, {});
  EXPECT_EQ(shares.SpentSeconds("a", now_), 0);
  shares.Begin("a", now_);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 10s), 10, 0.01);
  shares.Begin("a", now_ + 10s);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 20s), 30, 0.01) << "two at once";
  shares.End("a", now_ + 20s);
  shares.End("a", now_ + 25s);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 100s), 35, 0.01);
  EXPECT_EQ(shares.SpentSeconds("b", now_ + 100s), 0);
}

TEST_F(SharesTest, HalfIsForgottenInEveryHalfLife) {
  Shares shares(absl::Hours(1), now_, {});
  Compute(shares, "a", 1s);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 1h), 0.5, 1e-3);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 3h), 0.125, 1e-3);
}

TEST_F(SharesTest, WhatIsComputedFadesMeanwhile) {
  Shares shares(absl::Hours(1), now_, {});
  shares.Begin("a", now_);
  const double at_last = 3600 / std::log(2);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 1h), at_last / 2, 1e-6 * at_last);
  EXPECT_NEAR(shares.SpentSeconds("a", now_ + 40h), at_last, 1e-6 * at_last);
}

// However often somebody looks, or settles the account on the way.
TEST_F(SharesTest, TheAccountDoesNotDependOnWhoLooks) {
  Shares once(absl::Hours(1), now_, {}), often(absl::Hours(1), now_, {});
  once.Begin("a", now_);
  often.Begin("a", now_);
  for (int i = 1; i <= 1000; ++i) {
    often.Begin("a", now_ + i * 7s);
    often.End("a", now_ + i * 7s);
    (void)often.Accounts(now_ + i * 7s);
  }
  EXPECT_NEAR(often.SpentSeconds("a", now_ + 7000s), once.SpentSeconds("a", now_ + 7000s), 1e-6);
}

TEST_F(SharesTest, AClockThatLooksBackChangesNothing) {
  Shares shares(absl::Hours(1), now_, {});
  Compute(shares, "a", 100s);
  const double spent = shares.SpentSeconds("a", now_);
  EXPECT_EQ(shares.SpentSeconds("a", now_ - 50s), spent);
}

TEST_F(SharesTest, HeldTasksCountAsLongAsTheirLikeTook) {
  Shares shares(absl::Hours(1000), now_, {});
  EXPECT_TRUE(shares.Hold("a", v1::NORMAL, 0));
  const double unknown = shares.Accounts(now_)["a"].pending_seconds;
  EXPECT_GT(unknown, 0) << "before anything is known";
  shares.Learn("b", v1::NORMAL, absl::Seconds(7));
  EXPECT_EQ(shares.Accounts(now_)["a"].pending_seconds, 7) << "as others' tasks of that class";
  shares.Learn("a", v1::NORMAL, absl::Seconds(100));
  shares.Learn("a", v1::INTERACTIVE, absl::Seconds(1));
  EXPECT_EQ(shares.Accounts(now_)["a"].pending_seconds, 100);
  EXPECT_TRUE(shares.Hold("a", v1::INTERACTIVE, 0));
  EXPECT_EQ(shares.Accounts(now_)["a"].pending_seconds, 101);
  EXPECT_EQ(shares.Accounts(now_)["a"].held, 2);
  shares.Release("a", v1::NORMAL);
  EXPECT_EQ(shares.Accounts(now_)["a"].pending_seconds, 1);
}

TEST_F(SharesTest, NoMoreIsHeldThanTheCap) {
  Shares shares(absl::Hours(1), now_, {});
  EXPECT_TRUE(shares.Hold("a", v1::NORMAL, 2));
  EXPECT_TRUE(shares.Hold("a", v1::BATCH, 2));
  EXPECT_FALSE(shares.Hold("a", v1::NORMAL, 2));
  EXPECT_TRUE(shares.Hold("b", v1::NORMAL, 2));
  shares.Release("a", v1::BATCH);
  EXPECT_TRUE(shares.Hold("a", v1::NORMAL, 2));
}

TEST_F(SharesTest, AccountsThatHaveFadedGo) {
  Shares shares(absl::Minutes(1), now_, {});
  Compute(shares, "a", 60s);
  shares.Hold("b", v1::NORMAL, 0);
  EXPECT_EQ(shares.Accounts(now_).size(), 2U);
  EXPECT_EQ(shares.Accounts(now_ + 1h).size(), 1U) << "who holds a task stays";
}

TEST_F(SharesTest, TheyGoOnAfterARestart) {
  Shares before(absl::Hours(1), now_, {});
  Compute(before, "a", 600s);
  const ShareRecord a = before.Record("a", now_);
  now_ += 1h;
  Compute(before, "b", 600s);
  const ShareRecord b = before.Record("b", now_);
  EXPECT_EQ(b.at_ms - a.at_ms, 4'200'000);

  const Shares::SteadyTime restart{5min};  // another machine's steady clock
  Shares after(absl::Hours(1), restart, {a, b});
  EXPECT_NEAR(after.SpentSeconds("b", restart), before.SpentSeconds("b", now_), 0.01);
  EXPECT_NEAR(after.SpentSeconds("a", restart), before.SpentSeconds("a", now_), 0.01) << "written earlier";
  EXPECT_EQ(after.Record("a", restart + 1s).at_ms, b.at_ms + 1000) << "goes on from there";
}

}  // namespace
}  // namespace deconvoy::server
