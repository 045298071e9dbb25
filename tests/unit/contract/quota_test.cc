#include "proto/contract/quota.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::Quota Of(uint64_t bytes, uint32_t jobs) {
  v1::Quota quota;
  quota.set_bytes(bytes);
  quota.set_jobs(jobs);
  return quota;
}

std::string Exceeded(const v1::Quota& quota, const Holding& used, const Holding& need) {
  const absl::Status refused = CheckQuota(quota, used, need);
  if (refused.ok()) return "";
  EXPECT_EQ(ReasonOf(refused), v1::QUOTA_EXCEEDED);
  return InfoOf(refused).metadata().at("quota");
}

TEST(Quota, IsWhatMayBeThereAltogether) {
  EXPECT_EQ(Exceeded(Of(100, 2), {.bytes = 60, .jobs = 1}, {.bytes = 40, .jobs = 1}), "");
  EXPECT_EQ(Exceeded(Of(100, 2), {.bytes = 60, .jobs = 1}, {.bytes = 41, .jobs = 1}), "bytes");
  EXPECT_EQ(Exceeded(Of(100, 2), {.bytes = 0, .jobs = 2}, {.bytes = 0, .jobs = 1}), "jobs");
}

TEST(Quota, OfZeroIsNone) {
  EXPECT_EQ(Exceeded(Of(0, 0), {.bytes = int64_t{1} << 60, .jobs = 1000}, {.bytes = 1, .jobs = 1}), "");
}

TEST(Quota, RefusesNothingThatNeedsNothing) {
  EXPECT_EQ(Exceeded(Of(1, 1), {.bytes = 100, .jobs = 100}, {}), "");
}

}  // namespace
}  // namespace deconvoy
