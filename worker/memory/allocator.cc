#include "worker/memory/allocator.h"

#include <malloc.h>

namespace deconvoy::worker {
namespace {

constexpr int kLargeBytes = 1 << 20;

}  // namespace

// Both thresholds would otherwise grow with the blocks that are freed.
void ReturnFreedMemory() {
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  ::mallopt(M_TRIM_THRESHOLD, kLargeBytes);
}

}  // namespace deconvoy::worker
