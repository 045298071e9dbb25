// Keeps a task within the memory budget, and turns what escapes it into errors.
#pragma once

#include <cstdint>

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

// Memory that a task will need: for a task on a tile what its plan counts, from its extents, its PSF and
// its method. 0 for unknown work. Errors: those of the task's parameters, INVALID_FIELD.
absl::StatusOr<int64_t> NeedBytes(const v1::Task& task);

class GuardedExecutor : public TaskExecutor {
 public:
  // `next` must outlive the wrapper.
  GuardedExecutor(TaskExecutor& next, int64_t budget_bytes) : next_(next), budget_bytes_(budget_bytes) {}

  // Errors: OUT_OF_MEMORY before starting when the need is above the budget, and when an allocation fails; INTERNAL for
  // any other exception.
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  TaskExecutor& next_;
  const int64_t budget_bytes_;
};

}  // namespace deconvoy::worker
