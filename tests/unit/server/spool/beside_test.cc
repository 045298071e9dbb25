#include "server/spool/beside.h"

#include <gtest/gtest.h>

#include <atomic>

namespace deconvoy::server {
namespace {

TEST(Beside, DoesOnePieceAfterAnotherInItsOwnThread) {
  Beside beside;
  int sum = 0;
  for (int i = 1; i <= 100; ++i) {
    beside.Start([&sum, i, caller = std::this_thread::get_id()] {
      EXPECT_NE(std::this_thread::get_id(), caller);
      sum += i;
    });
    beside.Wait();
  }
  EXPECT_EQ(sum, 5050);
}

TEST(Beside, EndsWhatWasBegun) {
  std::atomic<bool> done = false;
  {
    Beside beside;
    beside.Start([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      done = true;
    });
  }
  EXPECT_TRUE(done);
}

TEST(Beside, NothingToWaitForIsFine) {
  Beside beside;
  beside.Wait();
}

}  // namespace
}  // namespace deconvoy::server
