// Device memory: one allocation for the life of the process, given out in pieces.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace deconvoy::worker::cuda {

class Arena;

// Which part of an arena memory is taken from.
enum class ArenaPart { kWhole, kFirstHalf, kSecondHalf };

// Memory for one block each, for tools that tell blocks apart. Safe for threads.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // Null where there is none.
  virtual void* Take(int64_t bytes) = 0;
  virtual void GiveBack(void* data) = 0;
};

// A piece of an arena, given back at the end. Movable. Its arena must outlive it, and no kernel may use it any more.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept;
  ~Block();

  float* floats() const { return static_cast<float*>(data_); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  int64_t bytes() const { return bytes_; }

 private:
  friend class Arena;
  Block(Arena* arena, void* data, int64_t bytes) : arena_(arena), data_(data), bytes_(bytes) {}

  Arena* arena_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Gives out the first piece that is large enough, in multiples of 512 bytes, and joins neighbours that are given back:
// the same requests in the same order get the same places. Whoever takes memory from one half finds it as it would
// alone, whatever is taken from the other. Never touches the memory. Safe for threads.
class Arena {
 public:
  // `memory`, aligned to 512 bytes, holds `bytes` and is not owned. `device` is for errors.
  Arena(void* memory, int64_t bytes, std::string device);
  // Gives out as much, in the same order, but each piece as memory of its own of exactly the bytes that were asked for.
  // `source` must outlive it.
  Arena(BlockSource* source, int64_t bytes, std::string device);

  // Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY, naming size, device and what is free.
  absl::StatusOr<Block> Allocate(int64_t bytes, ArenaPart part = ArenaPart::kWhole);
  absl::StatusOr<Block> AllocateFloats(int64_t count, ArenaPart part = ArenaPart::kWhole);

  int64_t bytes() const { return bytes_; }
  int64_t free_bytes() const;

 private:
  friend class Block;
  // The offset of `size` bytes that are taken; none where no piece of the part is large enough. REQUIRES: mutex_ is
  // held.
  std::optional<int64_t> Take(int64_t size, ArenaPart part);
  void PutBack(int64_t offset, int64_t bytes);  // REQUIRES: the same
  void GiveBack(void* data, int64_t bytes);

  absl::Status Lacks(int64_t bytes) const;

  // Constant.
  char* const memory_;         // null with a source
  BlockSource* const source_;  // null with memory
  const int64_t bytes_;
  const std::string device_;
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::map<int64_t, int64_t> free_;   // offset to size, no two touching
  std::map<void*, int64_t> offsets_;  // of what the source gave
};

}  // namespace deconvoy::worker::cuda
