// A loop shared by threads.
#pragma once

#include <cstdint>
#include <functional>

namespace deconvoy::worker {

// Calls `body` once for each of 0 to count - 1, from at most `threads` threads, in no certain order. `body` does not
// throw.
void ParallelFor(int threads, int64_t count, const std::function<void(int64_t)>& body);

}  // namespace deconvoy::worker
