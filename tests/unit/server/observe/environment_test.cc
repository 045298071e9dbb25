#include "server/observe/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "tests/support/fake_environment.h"

namespace deconvoy::server {
namespace {

TEST(RandomIds, AreTwentySixCharactersOfTheAlphabet) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(RandomIds().Next(), ::testing::MatchesRegex("[a-z0-9]{26}"));
  }
}

TEST(RandomIds, DoNotRepeatAndUseEveryLetter) {
  std::set<std::string> ids;
  std::set<char> letters;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomIds().Next();
    letters.insert(id.begin(), id.end());
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(letters.size(), 36u);
}

TEST(SystemClock, Moves) {
  const auto steady = SystemClock().Steady();
  EXPECT_GE(SystemClock().Steady(), steady);
  EXPECT_GT(SystemClock().Wall(), absl::FromUnixSeconds(1'700'000'000));
}

// Death tests run in a process of their own, which reads the variable afresh.
class CrashPointDeathTest : public ::testing::Test {
 protected:
  static void Run(const char* request, int passes) {
    setenv("DECONVOY_CRASH_POINT", request, 1);
    for (int i = 0; i < passes; ++i) {
      CrashPoint("some-other-point");
      CrashPoint("the-point");
    }
    std::exit(0);
  }
};

TEST_F(CrashPointDeathTest, KillsAtItsName) {
  EXPECT_EXIT(Run("the-point", 1), ::testing::KilledBySignal(SIGKILL), "");
}

TEST_F(CrashPointDeathTest, KillsAtTheNthPass) {
  EXPECT_EXIT(Run("the-point:3", 2), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(Run("the-point:3", 3), ::testing::KilledBySignal(SIGKILL), "");
}

TEST_F(CrashPointDeathTest, DoesNothingForOtherNames) {
  EXPECT_EXIT(Run("the-poin", 5), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(Run("", 5), ::testing::ExitedWithCode(0), "");
}

TEST(FakeClock, MovesBothTimesTogether) {
  deconvoy::testing::FakeClock clock;
  const auto wall = clock.Wall();
  const auto steady = clock.Steady();
  EXPECT_EQ(clock.Wall(), wall);
  clock.Advance(std::chrono::seconds(3));
  EXPECT_EQ(clock.Wall() - wall, absl::Seconds(3));
  EXPECT_EQ(clock.Steady() - steady, std::chrono::seconds(3));
}

}  // namespace
}  // namespace deconvoy::server
