#include "worker/backends/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace deconvoy::worker::cpu {
namespace {

TEST(ThreadPoolTest, VisitsEachIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t count : {0, 1, 3, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      std::atomic<bool> stranger = false;
      pool.ForEach(count, [&](int64_t index, int thread) {
        ++visits[static_cast<size_t>(index)];
        if (thread < 0 || thread >= threads) stranger = true;
      });
      for (const auto& visit : visits) EXPECT_EQ(visit, 1);
      EXPECT_FALSE(stranger);
    }
  }
}

TEST(ThreadPoolTest, OneThreadWorksAtATimeUnderEachNumber) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> inside(3);
  std::atomic<bool> shared = false;
  pool.ForEach(2000, [&](int64_t, int thread) {
    if (inside[static_cast<size_t>(thread)].fetch_add(1) != 0) shared = true;
    inside[static_cast<size_t>(thread)].fetch_sub(1);
  });
  EXPECT_FALSE(shared);
}

TEST(ThreadPoolTest, CallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool.ForEach(10, [&](int64_t index, int) { sum += index; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 50 * 45);
}

#if defined(__SSE__)
TEST(ThreadPoolTest, DenormalsCountAsZeroInsideAndNotOutside) {
  ThreadPool pool(2);
  volatile float smallest = std::numeric_limits<float>::min();
  std::atomic<int> kept = 0;
  pool.ForEach(100, [&](int64_t, int) {
    volatile float half = smallest * 0.5F;
    if (half != 0) ++kept;
  });
  EXPECT_EQ(kept, 0);
  volatile float half = smallest * 0.5F;
  EXPECT_NE(half, 0);
}
#endif

}  // namespace
}  // namespace deconvoy::worker::cpu
