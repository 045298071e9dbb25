#include "tests/bench/memory_copy.h"

#include <cstring>
#include <thread>

namespace deconvoy::bench {

MemoryCopy::MemoryCopy(int64_t floats, int threads)
    : threads_(threads), source_(static_cast<size_t>(floats), 1), target_(source_) {}

void MemoryCopy::Run() {
  const auto copy = [this](size_t first, size_t end) {
    std::memcpy(target_.data() + first, source_.data() + first, (end - first) * sizeof(float));
  };
  const auto border = [this](int part) {
    return source_.size() * static_cast<size_t>(part) / static_cast<size_t>(threads_);
  };
  std::vector<std::jthread> others;
  for (int part = 1; part < threads_; ++part) others.emplace_back(copy, border(part), border(part + 1));
  copy(0, border(1));
}

int64_t MemoryCopy::bytes() const {
  return static_cast<int64_t>(2 * source_.size() * sizeof(float));
}

}  // namespace deconvoy::bench
