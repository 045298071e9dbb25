#include "worker/executor/timed_executor.h"

#include <algorithm>
#include <chrono>

namespace deconvoy::worker {

absl::StatusOr<v1::TaskResult> TimedExecutor::Execute(const v1::Task& task, TaskContext& context) {
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<v1::TaskResult> result = next_.Execute(task, context);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (result.ok() && result->has_tile()) {
    result->mutable_tile()->set_compute_seconds(std::max((taken - context.Aside()).count(), 0.0));
  }
  return result;
}

}  // namespace deconvoy::worker
