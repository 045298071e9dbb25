// Ends a task that has been cancelled at its next step, read or write.
#pragma once

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

class CancellableExecutor : public TaskExecutor {
 public:
  // `next` must outlive the wrapper.
  explicit CancellableExecutor(TaskExecutor& next) : next_(next) {}
  // CANCELLED once context.cancelled() is true.
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  TaskExecutor& next_;
};

}  // namespace deconvoy::worker
