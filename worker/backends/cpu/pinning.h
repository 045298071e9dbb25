// Ties the threads that compute to processors, so that they stay where their data are.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace deconvoy::worker::cpu {

// The share of a worker in its machine: the `index`-th of `count` that are all alike, from 0. A count of 0: threads run
// wherever the system puts them.
struct MachineShare {
  int64_t index = 0;
  int64_t count = 0;
};

// Constant after `Make`; threads may share it.
class Pinning {
 public:
  // One processor for each of `threads` threads. All threads of all workers are spread over the processors that this
  // process may run on: over different cores first and over the hyper-threads of a core only when there are more
  // threads than cores; neighbours lie on the same NUMA node. Errors: INTERNAL when the system does not tell its
  // processors. REQUIRES: threads >= 1, 0 <= share.index < share.count.
  static absl::StatusOr<std::unique_ptr<Pinning>> Make(int threads, const MachineShare& share);

  // By thread: the processor's number, as the system counts them.
  const std::vector<int>& processors() const { return processors_; }

  // Ties the calling thread to the processor of `thread`. Where the system does not let it, it goes on untied.
  void Bind(int thread) const;

 private:
  explicit Pinning(std::vector<int> processors) : processors_(std::move(processors)) {}

  std::vector<int> processors_;
};

}  // namespace deconvoy::worker::cpu
