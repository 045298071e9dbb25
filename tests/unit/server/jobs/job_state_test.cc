#include "server/jobs/job_state.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

TEST(JobStateTest, OnlyTheseMovesAreLegal) {
  const std::set<std::pair<int, int>> legal = {
      {v1::PENDING, v1::RUNNING}, {v1::PENDING, v1::PAUSED},    {v1::PENDING, v1::FAILED}, {v1::PENDING, v1::CANCELLED},
      {v1::RUNNING, v1::PAUSED},  {v1::RUNNING, v1::SUCCEEDED}, {v1::RUNNING, v1::FAILED}, {v1::RUNNING, v1::CANCELLED},
      {v1::PAUSED, v1::PENDING},  {v1::PAUSED, v1::RUNNING},    {v1::PAUSED, v1::FAILED},  {v1::PAUSED, v1::CANCELLED},
      {v1::PAUSED, v1::SUCCEEDED}};
  for (int from = v1::JobState_MIN; from <= v1::JobState_MAX; ++from) {
    for (int to = v1::JobState_MIN; to <= v1::JobState_MAX; ++to) {
      auto state = static_cast<v1::JobState>(from);
      const absl::Status status = Move(state, static_cast<v1::JobState>(to));
      if (legal.contains({from, to})) {
        EXPECT_OK(status);
        EXPECT_EQ(state, to);
      } else {
        EXPECT_TRUE(absl::IsInternal(status)) << from << " to " << to;
        EXPECT_EQ(state, from) << "an illegal move changes nothing";
      }
    }
  }
}

TEST(JobStateTest, OnlyTheseMovesOfTasksAreLegal) {
  const std::set<std::pair<int, int>> legal = {{1, 2}, {1, 6}, {2, 3}, {2, 6}, {3, 2}, {3, 4}, {3, 5}, {3, 6}};
  for (int from = 1; from <= 6; ++from) {
    for (int to = 1; to <= 6; ++to) {
      auto state = static_cast<TaskState>(from);
      const absl::Status status = Move(state, static_cast<TaskState>(to));
      EXPECT_EQ(status.ok(), legal.contains({from, to})) << from << " to " << to;
      EXPECT_EQ(static_cast<int>(state), status.ok() ? to : from);
      EXPECT_TRUE(status.ok() || absl::IsInternal(status));
    }
  }
}

TEST(JobStateTest, EndsAreStatesThatNothingFollows) {
  for (int from = v1::JobState_MIN + 1; from <= v1::JobState_MAX; ++from) {
    bool leads_on = false;
    for (int to = v1::JobState_MIN; to <= v1::JobState_MAX; ++to) {
      auto state = static_cast<v1::JobState>(from);
      leads_on |= Move(state, static_cast<v1::JobState>(to)).ok();
    }
    EXPECT_EQ(IsEnd(static_cast<v1::JobState>(from)), !leads_on) << from;
  }
  for (int from = 1; from <= 6; ++from) {
    bool leads_on = false;
    for (int to = 1; to <= 6; ++to) {
      auto state = static_cast<TaskState>(from);
      leads_on |= Move(state, static_cast<TaskState>(to)).ok();
    }
    EXPECT_EQ(IsEnd(static_cast<TaskState>(from)), !leads_on) << from;
  }
}

}  // namespace
}  // namespace deconvoy::server
