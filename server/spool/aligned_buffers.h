// A few buffers for reading and writing past the page cache, shared by all transfers, so that many of them take no more
// memory than one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace deconvoy::server {

// Thread safe. Must outlive what was taken.
class AlignedBuffers {
 public:
  // At most `most` buffers of `bytes`, a multiple of kDirectBytes, at places that are.
  AlignedBuffers(size_t most, size_t bytes) : bytes_(bytes), left_(most) {}

  // A buffer until its end. Not to be held while waiting for anything but the disk.
  class Taken {
   public:
    Taken(Taken&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), memory_(std::move(other.memory_)) {}
    Taken& operator=(Taken&&) = delete;
    ~Taken();

    std::span<std::byte> bytes() const { return {memory_.get(), owner_->bytes_}; }

   private:
    friend class AlignedBuffers;
    struct Free {
      void operator()(std::byte* memory) const;
    };
    using Memory = std::unique_ptr<std::byte[], Free>;

    Taken(AlignedBuffers& owner, Memory memory) : owner_(&owner), memory_(std::move(memory)) {}

    AlignedBuffers* owner_;  // null once moved from
    Memory memory_;
  };

  // Waits until one is free.
  Taken Take();

 private:
  const size_t bytes_;
  std::mutex mutex_;
  std::condition_variable freed_;
  // --- guarded by mutex_ ---
  size_t left_;  // that may still be made
  std::vector<Taken::Memory> free_;
};

}  // namespace deconvoy::server
