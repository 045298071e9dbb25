// The machine's memory, to measure against: one array copied to another by `memcpy`, shared out to threads.
#pragma once

#include <cstdint>
#include <vector>

namespace deconvoy::bench {

class MemoryCopy {
 public:
  MemoryCopy(int64_t floats, int threads);

  void Run();
  int64_t bytes() const;  // read and written by one Run

 private:
  const int threads_;
  std::vector<float> source_, target_;
};

}  // namespace deconvoy::bench
