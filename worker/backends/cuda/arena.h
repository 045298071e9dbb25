// Device memory: one allocation for the life of the process, given out in pieces.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace deconvoy::worker::cuda {

class Arena;

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
// the same requests in the same order get the same places. Never touches the memory. Safe for threads.
class Arena {
 public:
  // `memory`, aligned to 512 bytes, holds `bytes` and is not owned. `device` is for errors.
  Arena(void* memory, int64_t bytes, std::string device);

  // Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY, naming size, device and what is free.
  absl::StatusOr<Block> Allocate(int64_t bytes);
  absl::StatusOr<Block> AllocateFloats(int64_t count);

  int64_t bytes() const { return bytes_; }
  int64_t free_bytes() const;

 private:
  friend class Block;
  void GiveBack(void* data, int64_t bytes);

  // Constant.
  char* const memory_;
  const int64_t bytes_;
  const std::string device_;
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::map<int64_t, int64_t> free_;  // offset to size, no two touching
};

}  // namespace deconvoy::worker::cuda
