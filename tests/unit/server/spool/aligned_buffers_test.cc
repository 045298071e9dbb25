#include "server/spool/aligned_buffers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "server/spool/file_system.h"

namespace deconvoy::server {
namespace {

TEST(AlignedBuffers, LieAtPlacesThatCanBeWrittenFrom) {
  AlignedBuffers buffers(3, 2 * kDirectBytes);
  const AlignedBuffers::Taken first = buffers.Take(), second = buffers.Take();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first.bytes().data()) % kDirectBytes, 0U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second.bytes().data()) % kDirectBytes, 0U);
  EXPECT_NE(first.bytes().data(), second.bytes().data());
  EXPECT_EQ(first.bytes().size(), size_t{2 * kDirectBytes});
}

TEST(AlignedBuffers, TheNextWaitsForOneThatIsGivenBack) {
  AlignedBuffers buffers(1, kDirectBytes);
  std::optional<AlignedBuffers::Taken> only(buffers.Take());
  const std::byte* place = only->bytes().data();
  std::atomic<bool> given_back = false;
  std::thread other([&] {
    const AlignedBuffers::Taken next = buffers.Take();
    EXPECT_TRUE(given_back);
    EXPECT_EQ(next.bytes().data(), place);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  given_back = true;
  only.reset();
  other.join();
}

}  // namespace
}  // namespace deconvoy::server
