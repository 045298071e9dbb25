#include "worker/session/fetch_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_support.h"
#include "tests/unit/worker/session/session_fixture.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

TEST_F(Sessions, ABrokenFetchStartsAgain) {
  Start();
  workers_.BreakFetches(1);
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  EXPECT_TRUE(workers_.WaitFor([&] { return workers_.fetches == 2; }));
  EXPECT_EQ(workers_.Deliveries()[0].bytes, Numbers(64));
}

TEST_F(Sessions, ADamagedChunkIsFetchedAgainButNotForEver) {
  Start();
  workers_.DamageChunks(1);
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(workers_.Deliveries()[0].bytes, Numbers(64));
  workers_.DamageChunks(1000);
  workers_.Give(Task());
  EXPECT_EQ(WaitForGivenUp().error().info().reason(), v1::CHECKSUM_MISMATCH);
}

// A server that leaves voxels out is as wrong as one that damages them.
TEST_F(Sessions, AShortAnswerIsFetchedAgainButNotForEver) {
  Start();
  workers_.ShortenFetches(1);
  workers_.Give(Task());
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(workers_.Deliveries()[0].bytes, Numbers(64));
  workers_.ShortenFetches(1000);
  workers_.Give(Task());
  const v1::TaskStatus status = WaitForGivenUp();
  EXPECT_THAT(status.error().message(), HasSubstr("the server sent 48 voxels of 64"));
  EXPECT_TRUE(status.retry_elsewhere());
}

}  // namespace
}  // namespace deconvoy::worker
