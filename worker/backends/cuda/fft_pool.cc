#include "worker/backends/cuda/fft_pool.h"

#include "proto/contract/status_macros.h"

namespace deconvoy::worker::cuda {

absl::StatusOr<FftPool::Lent> FftPool::Take(const FftShape& shape) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto idle = idle_.find(shape); idle != idle_.end()) {
      std::unique_ptr<Fft> fft = std::move(idle->second);
      idle_.erase(idle);
      return Lent(this, shape, std::move(fft));
    }
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Fft> fft, runtime_.MakeFft(shape));
  return Lent(this, shape, std::move(fft));
}

void FftPool::GiveBack(const FftShape& shape, std::unique_ptr<Fft> fft) {
  std::multimap<FftShape, std::unique_ptr<Fft>> ended;  // outside the lock
  const std::lock_guard lock(mutex_);
  if (idle_.size() >= kMostIdle) ended.swap(idle_);
  idle_.emplace(shape, std::move(fft));
}

}  // namespace deconvoy::worker::cuda
