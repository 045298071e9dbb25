#include "worker/backends/cuda/staging_pool.h"

#include <algorithm>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker::cuda {

absl::StatusOr<std::span<std::byte>> StagingPool::Lent::Bytes() {
  ASSIGN_OR_RETURN(const std::span<std::byte> all, memory_->Bytes());
  return all.first(static_cast<size_t>(bytes_));
}

absl::StatusOr<std::unique_ptr<StagingPool::Lent>> StagingPool::Take(Stream& stream, int64_t bytes) {
  Idle found{.room = bytes, .memory = nullptr};
  {
    // Not more than twice as large, so that small ones do not use up what large ones need.
    const std::lock_guard lock(mutex_);
    const auto fits = std::find_if(idle_.begin(), idle_.end(),
                                   [bytes](const Idle& idle) { return idle.room >= bytes && idle.room / 2 <= bytes; });
    if (fits != idle_.end()) {
      found = std::move(*fits);
      idle_.erase(fits);
    }
  }
  if (found.memory == nullptr) {
    ASSIGN_OR_RETURN(found.memory, stream.Stage(bytes));
  } else {
    RETURN_IF_ERROR(found.memory->Bytes().status());
  }
  return std::make_unique<Lent>(shared_from_this(), bytes, found.room, std::move(found.memory));
}

void StagingPool::GiveBack(int64_t room, std::unique_ptr<StagedMemory> memory) {
  std::list<Idle> ended;  // outside the lock
  const std::lock_guard lock(mutex_);
  idle_.push_back({room, std::move(memory)});
  if (idle_.size() > kMostIdle) ended.splice(ended.end(), idle_, idle_.begin());
}

}  // namespace deconvoy::worker::cuda
