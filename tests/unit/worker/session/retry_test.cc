#include "worker/session/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

class RetryTest : public ::testing::Test {
 protected:
  // What Retry makes of attempts that end like this one after another, and then well.
  absl::Status Run(const std::vector<absl::Status>& outcomes) {
    attempts_ = 0;
    const auto attempt = [&] {
      const size_t i = attempts_++;
      return i < outcomes.size() ? outcomes[i] : absl::OkStatus();
    };
    return Retry(stop_, "test", attempt, {std::chrono::milliseconds(1), std::chrono::milliseconds(1)});
  }

  StopSignal stop_;
  size_t attempts_ = 0;
};

absl::Status Away() {
  return absl::UnavailableError("away");
}

TEST_F(RetryTest, AServerThatIsAwayIsTriedForAsLongAsItTakes) {
  EXPECT_OK(Run(std::vector(200, Away())));
  EXPECT_EQ(attempts_, 201U);
}

TEST_F(RetryTest, CallsThatAreBrokenOffAreGivenUpAfterTenInARow) {
  for (const absl::Status& broken : {absl::CancelledError("broken off"), absl::UnknownError("broken off")}) {
    EXPECT_OK(Run(std::vector(9, broken)));
    EXPECT_EQ(attempts_, 10U);
    const absl::Status status = Run(std::vector(1000, broken));
    EXPECT_EQ(attempts_, 10U);
    EXPECT_TRUE(absl::IsInternal(status)) << status << ": CANCELLED would not count as a failed attempt";
    EXPECT_THAT(std::string(status.message()), HasSubstr("10 times in a row; the last error: "));
  }
  std::vector<absl::Status> mixed;
  for (int i = 0; i < 5; ++i) mixed.insert(mixed.end(), {absl::CancelledError(""), absl::UnknownError("")});
  EXPECT_TRUE(absl::IsInternal(Run(mixed)));
}

TEST_F(RetryTest, AServerThatIsReallyAwayStartsTheCountAnew) {
  std::vector<absl::Status> outcomes(9, absl::CancelledError("stopping"));
  outcomes.push_back(Away());
  outcomes.insert(outcomes.end(), 9, absl::UnknownError("starting"));
  EXPECT_OK(Run(outcomes));
  EXPECT_EQ(attempts_, 20U);
}

TEST_F(RetryTest, DamageIsTriedThreeTimes) {
  EXPECT_OK(Run(std::vector(2, absl::DataLossError("damaged"))));
  EXPECT_TRUE(absl::IsDataLoss(Run(std::vector(1000, absl::DataLossError("damaged")))));
  EXPECT_EQ(attempts_, 3U);
}

TEST_F(RetryTest, AnythingElseIsFinal) {
  EXPECT_TRUE(absl::IsNotFound(Run({absl::NotFoundError("gone")})));
  EXPECT_EQ(attempts_, 1U);
}

TEST_F(RetryTest, EndsWhenStopped) {
  stop_.Stop();
  EXPECT_TRUE(absl::IsCancelled(Run(std::vector(1000, Away()))));
  EXPECT_EQ(attempts_, 1U);
}

}  // namespace
}  // namespace deconvoy::worker
