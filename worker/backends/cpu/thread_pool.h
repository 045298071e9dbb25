// The threads of the CPU backend.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "worker/backends/cpu/pinning.h"

namespace deconvoy::worker::cpu {

// A fixed number of threads that live as long as the pool; the calling thread is one of them. Callers on several
// threads take turns. Denormal numbers count as zero inside.
class ThreadPool {
 public:
  // `pinning`, where there is one, ties each thread before it works: the pool's own, and every thread that calls.
  // REQUIRES: threads >= 1, a pinning of as many.
  explicit ThreadPool(int threads, std::unique_ptr<Pinning> pinning = nullptr);
  ~ThreadPool();

  int threads() const;

  // Calls `work(index, thread)` once for each index in [0, count), in any order, with thread in [0, threads());
  // returns when all have returned. `work` must not throw and not call the pool.
  void ForEach(int64_t count, const std::function<void(int64_t index, int thread)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deconvoy::worker::cpu
