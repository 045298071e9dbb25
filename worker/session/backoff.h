// How long to wait before trying again: longer each time, with jitter so that workers do not come back in step.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace deconvoy::worker {

// Not thread safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
      : first_(first), most_(most), next_(first), random_(std::random_device{}()) {}

  // Half to all of a time that doubles with each call up to `most`.
  std::chrono::milliseconds Next() {
    const std::chrono::milliseconds::rep all = next_.count();
    next_ = std::min(2 * next_, most_);
    return std::chrono::milliseconds(std::uniform_int_distribution(all / 2, all)(random_));
  }
  void Reset() { next_ = first_; }

 private:
  const std::chrono::milliseconds first_, most_;
  std::chrono::milliseconds next_;
  std::minstd_rand random_;
};

}  // namespace deconvoy::worker
