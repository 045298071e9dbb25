#include "server/jobs/input_watcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <utility>
#include <vector>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

std::vector<CommittedBox> BoxAt(int64_t z) {
  return {{{0, 0, {{z, 0, 0}, {1, 2, 2}}}, 0}};
}

TEST(InputWatcher, HandsOnWhatIsFollowedInOrder) {
  std::vector<InputNews> taken;
  InputWatcher watcher([&](const InputNews& news) {
    taken.push_back(news);
    return true;
  });
  watcher.BoxesCommitted("v", BoxAt(0));
  watcher.Follow("v");
  watcher.BoxesCommitted("v", BoxAt(1));
  watcher.BoxesCommitted("other", BoxAt(2));
  watcher.DigestMismatched("v", MakeError({.reason = v1::DIGEST_MISMATCH}, "wrong"));
  watcher.Completed("v");
  watcher.Settle();
  ASSERT_EQ(taken.size(), 3U);
  ASSERT_EQ(taken[0].boxes.size(), 1U);
  EXPECT_EQ(taken[0].boxes[0].box.origin.z, 1);
  EXPECT_EQ(ReasonOf(taken[1].refused), v1::DIGEST_MISMATCH);
  EXPECT_FALSE(taken[1].complete);
  EXPECT_TRUE(taken[2].complete);
}

TEST(InputWatcher, FollowsUntilTheLastJobHasForgotten) {
  std::atomic<int> taken = 0;
  InputWatcher watcher([&](const InputNews&) { return ++taken > 0; });
  watcher.Follow("v");
  watcher.Follow("v");
  watcher.Forget("v");
  watcher.Completed("v");
  watcher.Settle();
  EXPECT_EQ(taken, 1);
  watcher.Forget("v");
  watcher.Forget("v");
  watcher.Completed("v");
  watcher.Settle();
  EXPECT_EQ(taken, 1);
}

// As when the store has no room for what follows.
TEST(InputWatcher, TriesTheSameAgainBeforeWhatCameLater) {
  std::vector<int64_t> tried;
  InputWatcher watcher(
      [&](const InputNews& news) {
        tried.push_back(news.boxes.empty() ? -1 : news.boxes[0].box.origin.z);
        return tried.size() > 2;
      },
      std::chrono::milliseconds(1));
  watcher.Follow("v");
  watcher.BoxesCommitted("v", BoxAt(1));
  watcher.BoxesCommitted("v", BoxAt(2));
  watcher.LookAgain("v");
  watcher.Settle();
  EXPECT_EQ(tried, (std::vector<int64_t>{1, 1, 1, 2, -1}));
}

TEST(InputWatcher, EndsWhileItTriesAgain) {
  std::promise<void> tried;
  bool first = true;
  InputWatcher watcher(
      [&](const InputNews&) {
        if (std::exchange(first, false)) tried.set_value();
        return false;
      },
      std::chrono::hours(1));
  watcher.Follow("v");
  watcher.Completed("v");
  tried.get_future().wait();
}

// Who writes is not held up by a job that takes its time.
TEST(InputWatcher, LetsNoWriterWait) {
  std::promise<void> begun, go_on;
  std::atomic<int> taken = 0;
  InputWatcher watcher([&](const InputNews&) {
    if (taken++ == 0) {
      begun.set_value();
      go_on.get_future().wait();
    }
    return true;
  });
  watcher.Follow("v");
  watcher.BoxesCommitted("v", BoxAt(0));
  begun.get_future().wait();
  for (int64_t z = 1; z < 100; ++z) watcher.BoxesCommitted("v", BoxAt(z));
  EXPECT_EQ(taken, 1);
  go_on.set_value();
  watcher.Settle();
  EXPECT_EQ(taken, 100);
}

}  // namespace
}  // namespace deconvoy::server
