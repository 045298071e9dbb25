#include "server/observe/crash_hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/observe/environment.h"

namespace deconvoy::server {
namespace {

class CrashPointDeathTest : public ::testing::Test {
 protected:
  static void Run(const char* request, int passes) {
    SetCrashHook(KillAt(request));
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

// What is delivered must not be made to crash by whoever sets its environment.
TEST_F(CrashPointDeathTest, TheEnvironmentAloneDoesNothing) {
  EXPECT_EXIT(
      {
        setenv("DECONVOY_CRASH_POINT", "the-point", 1);
        CrashPoint("the-point");
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(CrashHook, IsToldEveryPointUntilItIsTakenAway) {
  std::vector<std::string> passed;
  SetCrashHook([&](std::string_view name) { passed.emplace_back(name); });
  CrashPoint("one");
  CrashPoint("two");
  SetCrashHook(nullptr);
  CrashPoint("three");
  EXPECT_THAT(passed, ::testing::ElementsAre("one", "two"));
}

}  // namespace
}  // namespace deconvoy::server
