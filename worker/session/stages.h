// The threads that bring tasks through their stages: one reads ahead, one executes, or as many as the line lets be
// executed at once, and one delivers.
#pragma once

#include <absl/status/status.h>

#include <memory>
#include <thread>
#include <vector>

#include "worker/executor/task_executor.h"
#include "worker/session/log_excerpt.h"
#include "worker/session/task_line.h"

namespace deconvoy::worker {

class Stages {
 public:
  // All must outlive the object. The executor is called from as many threads as execute tasks, each one at a time.
  Stages(TaskLine& line, TaskExecutor& executor, const LogExcerpt& log);
  // REQUIRES: the line is at its end.
  ~Stages();

 private:
  void ReadAhead();
  void Compute();
  void Deliver();
  absl::Status Execute(const std::shared_ptr<Work>& work);
  void Drop(const std::shared_ptr<Work>& work, const absl::Status& status);

  TaskLine& line_;
  TaskExecutor& executor_;
  const LogExcerpt& log_;
  std::vector<std::thread> threads_;
};

}  // namespace deconvoy::worker
