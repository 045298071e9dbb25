// Measures how long tiles take, reading included, and says so in their result. The time of a tile beside which another
// one computes is the other's.
#pragma once

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

class TimedExecutor : public TaskExecutor {
 public:
  // `next` must outlive the wrapper.
  explicit TimedExecutor(TaskExecutor& next) : next_(next) {}
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  TaskExecutor& next_;
};

}  // namespace deconvoy::worker
