#include "worker/session/log_excerpt.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <string>

#include "proto/contract/limits.h"

namespace deconvoy::worker {
namespace {

TEST(LogExcerpt, KeepsWholeLinesWithinTheLimit) {
  const LogExcerpt log;
  spdlog::logger logger("test", log.sink());
  logger.set_pattern("%v");
  for (int i = 0; i < 100; ++i) logger.info("{:03} {}", i, std::string(496, 'x'));
  const std::string text = log.Last("jobs/a");
  EXPECT_LE(text.size(), limits::kLogExcerptBytes);
  EXPECT_GT(text.size(), limits::kLogExcerptBytes - 502);
  EXPECT_EQ(text.substr(text.size() - 501, 3), "099");
  EXPECT_TRUE(text.substr(0, 3) > "060");
}

TEST(LogExcerpt, LeavesOutWhatNamesOnlyOtherJobs) {
  const LogExcerpt log;
  spdlog::logger logger("test", log.sink());
  logger.set_pattern("%v");
  logger.info("jobs/a/tasks/1: mine");
  logger.info("jobs/b/tasks/1: somebody else's");
  logger.info("of the worker");
  logger.info("jobs/b made room for jobs/a");
  EXPECT_EQ(log.Last("jobs/a"), "jobs/a/tasks/1: mine\nof the worker\njobs/b made room for jobs/a\n");
}

}  // namespace
}  // namespace deconvoy::worker
