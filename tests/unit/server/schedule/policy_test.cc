#include "server/schedule/policy.h"

#include <gtest/gtest.h>

namespace deconvoy::server {
namespace {

TEST(PolicyTest, TheOldestJobComesFirst) {
  const absl::Time now = absl::FromUnixSeconds(1'000);
  std::vector<WaitingJob> jobs(3);
  jobs[0] = {.id = "c", .owner = "u", .create_time = now + absl::Seconds(1)};
  jobs[1] = {.id = "b", .owner = "u", .create_time = now};
  jobs[2] = {.id = "a", .owner = "v", .create_time = now};
  OldestFirst().Rank(jobs);
  EXPECT_EQ(jobs[0].id, "a") << "of the same age: by id, so that every call agrees";
  EXPECT_EQ(jobs[1].id, "b");
  EXPECT_EQ(jobs[2].id, "c");
}

}  // namespace
}  // namespace deconvoy::server
