#include "worker/memory/allocator.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <thread>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

// Bytes that the C library has from the system, used or not.
size_t Held() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.arena + info.hblkhd;
}

// A block that is freed would otherwise make the C library keep the next ones that are as large.
TEST(AllocatorTest, FreedBlocksGoBackToTheSystem) {
  ReturnFreedMemory();
  std::thread([] {
    const size_t before = Held();
    for (int i = 0; i < 3; ++i) {
      const std::vector<std::byte> block(size_t{12} << 20);
      EXPECT_GE(Held(), before + block.size());
    }
    EXPECT_LT(Held(), before + (size_t{2} << 20));
  }).join();
}

}  // namespace
}  // namespace deconvoy::worker
