// Logs when a task starts and how it ends.
#pragma once

#include <string>

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

class LoggedExecutor : public TaskExecutor {
 public:
  // `next` must outlive the wrapper.
  explicit LoggedExecutor(TaskExecutor& next) : next_(next) {}
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  TaskExecutor& next_;
};

// What kind of work a task is and where, in a few words.
std::string Summary(const v1::Task& task);

}  // namespace deconvoy::worker
