#include "server/observe/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
