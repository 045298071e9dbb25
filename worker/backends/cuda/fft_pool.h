// Transforms that are planned already, for the next one who needs them.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "worker/backends/cuda/runtime.h"

namespace deconvoy::worker::cuda {

// Safe for threads.
class FftPool {
 public:
  // `runtime` must outlive it.
  explicit FftPool(Runtime* runtime) : runtime_(*runtime) {}

  // Given back at the end. The pool must outlive it.
  class Lent {
   public:
    Lent(FftPool* pool, const FftShape& shape, std::unique_ptr<Fft> fft)
        : pool_(pool), shape_(shape), fft_(std::move(fft)) {}
    Lent(Lent&&) noexcept = default;
    Lent& operator=(Lent&&) = delete;
    ~Lent() {
      if (fft_ != nullptr) pool_->GiveBack(shape_, std::move(fft_));
    }
    Fft& operator*() const { return *fft_; }

   private:
    FftPool* pool_;
    FftShape shape_;
    std::unique_ptr<Fft> fft_;
  };

  // Errors: those of planning.
  absl::StatusOr<Lent> Take(const FftShape& shape);

 private:
  static constexpr size_t kMostIdle = 64;  // some domains' worth

  void GiveBack(const FftShape& shape, std::unique_ptr<Fft> fft);

  Runtime& runtime_;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::multimap<FftShape, std::unique_ptr<Fft>> idle_;
};

}  // namespace deconvoy::worker::cuda
