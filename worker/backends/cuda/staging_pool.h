// Memory that a device copies by itself, kept for the next one who needs it: to lock its pages makes the whole device
// wait, also for what another stream computes.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "worker/backends/cuda/runtime.h"

namespace deconvoy::worker::cuda {

// Safe for threads.
class StagingPool : public std::enable_shared_from_this<StagingPool> {
 public:
  // Given back at the end, also while a copy still uses it. It may outlive everything that it came from.
  class Lent final : public Staging {
   public:
    Lent(std::shared_ptr<StagingPool> pool, int64_t bytes, int64_t room, std::unique_ptr<StagedMemory> memory)
        : pool_(std::move(pool)), bytes_(bytes), room_(room), memory_(std::move(memory)) {}
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() override { pool_->GiveBack(room_, std::move(memory_)); }

    absl::StatusOr<std::span<std::byte>> Bytes() override;
    StagedMemory& memory() const { return *memory_; }

   private:
    const std::shared_ptr<StagingPool> pool_;
    const int64_t bytes_;
    const int64_t room_;  // that `memory_` has
    std::unique_ptr<StagedMemory> memory_;
  };

  // Memory that no copy uses any more: kept, or made by `stream`. Errors: those of making it, and of the copy that
  // used it last.
  absl::StatusOr<std::unique_ptr<Lent>> Take(Stream& stream, int64_t bytes);

 private:
  struct Idle {
    int64_t room;
    std::unique_ptr<StagedMemory> memory;
  };

  static constexpr size_t kMostIdle = 8;  // of two tiles that are loaded and unloaded: two slabs each way

  void GiveBack(int64_t room, std::unique_ptr<StagedMemory> memory);

  std::mutex mutex_;
  std::list<Idle> idle_;  // the one that was given back last is the last; guarded by mutex_
};

}  // namespace deconvoy::worker::cuda
