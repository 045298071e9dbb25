#include "worker/backends/cpu/pinning.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/thread_pool.h"

namespace deconvoy::worker::cpu {
namespace {

// Those that the calling thread may run on.
std::vector<int> Allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<size_t>(i), &set)) processors.push_back(i);
  }
  return processors;
}

TEST(PinningTest, SharesOfTheMachineAreApartAndCoverIt) {
  const std::vector<int> allowed = Allowed();
  const auto workers = static_cast<int64_t>(allowed.size());
  std::multiset<int> taken;
  for (int64_t i = 0; i < workers; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto pinning, Pinning::Make(1, {.index = i, .count = workers}));
    ASSERT_EQ(pinning->processors().size(), 1U);
    taken.insert(pinning->processors()[0]);
  }
  EXPECT_EQ(std::vector<int>(taken.begin(), taken.end()), allowed);
}

TEST(PinningTest, MoreThreadsThanProcessorsShareThem) {
  const std::vector<int> allowed = Allowed();
  const int threads = 2 * static_cast<int>(allowed.size());
  ASSERT_OK_AND_ASSIGN(const auto pinning, Pinning::Make(threads, {.index = 0, .count = 1}));
  std::multiset<int> taken(pinning->processors().begin(), pinning->processors().end());
  for (const int processor : allowed) EXPECT_EQ(taken.count(processor), 2U) << processor;
}

TEST(PinningTest, ThreadsOfAPoolStayOnTheirProcessors) {
  // On a thread of its own, since the caller is tied too.
  std::thread([] {
    const std::vector<int> allowed = Allowed();
    const int threads = static_cast<int>(std::min<size_t>(allowed.size(), 4));
    absl::StatusOr<std::unique_ptr<Pinning>> pinning = Pinning::Make(threads, {.index = 0, .count = 1});
    ASSERT_OK(pinning.status());
    const std::vector<int> expected = (*pinning)->processors();
    ThreadPool pool(threads, *std::move(pinning));
    std::vector<std::vector<int>> seen(static_cast<size_t>(threads));
    pool.ForEach(1000, [&](int64_t, int thread) { seen[static_cast<size_t>(thread)] = Allowed(); });
    for (size_t i = 0; i < seen.size(); ++i) {
      if (!seen[i].empty()) {
        EXPECT_EQ(seen[i], std::vector<int>{expected[i]});
      }
    }
    EXPECT_EQ(Allowed(), std::vector<int>{expected[0]}) << "the caller is thread 0";
  }).join();
}

}  // namespace
}  // namespace deconvoy::worker::cpu
