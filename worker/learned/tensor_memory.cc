#include "worker/learned/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>

namespace deconvoy::worker::learned {
namespace {

constexpr size_t kAlignment = 64;       // of all tensors, and what stands before them
constexpr size_t kLeastKept = 1 << 20;  // bytes
constexpr size_t kLargePage = 2 << 20;  // bytes
constexpr size_t kMostTooLarge = 4;     // a block may be larger than asked for by one in so many
constexpr size_t kSlackShare = 4;       // what may be kept beyond what tensors have been at once: one part in so many,
constexpr size_t kSlack = 32 << 20;     // and bytes

// What stands before a tensor's values.
struct Header {
  size_t size = 0;       // of the block, bytes
  bool counted = false;  // among those that are taken
};
static_assert(sizeof(Header) <= kAlignment);

Header& HeaderOf(void* block) {
  return *static_cast<Header*>(block);
}

size_t UpTo(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

// Blocks of memory, each of which begins with its header.
class Blocks {
 public:
  // Of at least `bytes`. Throws std::bad_alloc.
  void* Take(size_t bytes) {
    if (const size_t small = UpTo(bytes, kAlignment); small < kLeastKept) return Fresh(small, kAlignment);
    const size_t size = UpTo(bytes, kLargePage);
    const std::lock_guard lock(mutex_);
    if (keepers_ == 0) return Fresh(size, kLargePage);
    void* block = nullptr;
    const auto kept = kept_.lower_bound(size);
    if (kept != kept_.end() && kept->first <= size + size / kMostTooLarge) {
      block = kept->second.address;
      Remove(kept);
    } else {
      const size_t most = std::max(most_, taken_ + size);
      GiveBackUntil(most + most / kSlackShare + kSlack, size);
      block = Fresh(size, kLargePage);
    }
    HeaderOf(block).counted = true;
    taken_ += HeaderOf(block).size;
    most_ = std::max(most_, taken_);
    return block;
  }

  void GiveBack(void* block) {
    Header& header = HeaderOf(block);
    if (header.size < kLeastKept) {
      std::free(block);
      return;
    }
    const std::lock_guard lock(mutex_);
    const bool counted = std::exchange(header.counted, false);
    if (counted) taken_ -= header.size;
    if (keepers_ == 0 || !counted) {
      std::free(block);
      return;
    }
    kept_.emplace(header.size, Kept{block, ++given_back_});
    kept_bytes_ += header.size;
  }

  void Keep() {
    const std::lock_guard lock(mutex_);
    ++keepers_;
  }

  void KeepNoLonger() {
    const std::lock_guard lock(mutex_);
    if (--keepers_ > 0) return;
    GiveBackUntil(0, 0);
    most_ = taken_;
  }

 private:
  static void* Fresh(size_t size, size_t alignment) {
    void* block = std::aligned_alloc(alignment, size);
    if (block == nullptr) throw std::bad_alloc();
    if (size >= kLargePage) madvise(block, size, MADV_HUGEPAGE);  // a wish
    new (block) Header{size};
    return block;
  }

  struct Kept {
    void* address = nullptr;
    uint64_t given_back = 0;  // grows
  };
  using BySize = std::multimap<size_t, Kept>;

  void Remove(BySize::iterator kept) {
    kept_bytes_ -= kept->first;
    kept_.erase(kept);
  }

  // Of what is kept, the longest unused first, until `more` can be taken
  // without more than `most` in all.
  void GiveBackUntil(size_t most, size_t more) {
    while (!kept_.empty() && taken_ + kept_bytes_ + more > most) {
      const auto oldest = std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
        return a.second.given_back < b.second.given_back;
      });
      std::free(oldest->second.address);
      Remove(oldest);
    }
  }

  std::mutex mutex_;
  // Guarded by mutex_.
  BySize kept_;
  size_t kept_bytes_ = 0;
  uint64_t given_back_ = 0;      // how often
  size_t taken_ = 0, most_ = 0;  // bytes by tensors that were made while there
                                 // was a keeper, now and at most
  int keepers_ = 0;
};

Blocks& TheBlocks() {
  static Blocks& blocks = *new Blocks();
  return blocks;
}

void GiveBack(void* values) {
  if (values != nullptr) TheBlocks().GiveBack(static_cast<std::byte*>(values) - kAlignment);
}

// LibTorch's own functions differ between its versions in being const, and
// later ones have one more: each is here without saying that it overrides.
class KeepingAllocator final : public c10::Allocator {
 public:
  // NOLINTBEGIN(modernize-use-override)
  c10::DataPtr allocate(size_t bytes) const { return Allocate(bytes); }
  c10::DataPtr allocate(size_t bytes) { return Allocate(bytes); }
  c10::DeleterFnPtr raw_deleter() const { return &GiveBack; }
  void copy_data(void* to, const void* from, size_t bytes) const { std::memcpy(to, from, bytes); }
  // NOLINTEND(modernize-use-override)

 private:
  static c10::DataPtr Allocate(size_t bytes) {
    void* values = bytes == 0 ? nullptr : static_cast<std::byte*>(TheBlocks().Take(bytes + kAlignment)) + kAlignment;
    return {values, values, &GiveBack, c10::Device(c10::DeviceType::CPU)};
  }
};

}  // namespace

KeptTensorMemory::KeptTensorMemory() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new KeepingAllocator()); });
  TheBlocks().Keep();
}

KeptTensorMemory::~KeptTensorMemory() {
  TheBlocks().KeepNoLonger();
}

}  // namespace deconvoy::worker::learned
