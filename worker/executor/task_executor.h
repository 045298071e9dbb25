// Executes tasks: one interface, and one wrapper per concern around the pipelines that compute.
//
// From outside in: LoggedExecutor, TimedExecutor, GuardedExecutor, HalvingExecutor, LostDeviceExecutor,
// CancellableExecutor, PipelineExecutor.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// One task at a time, always from the same thread.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;
  // What the task computed beside its voxels, which went to the context's sink in full where the result is OK.
  virtual absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) = 0;
};

}  // namespace deconvoy::worker
