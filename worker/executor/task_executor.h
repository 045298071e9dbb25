// Executes tasks: one interface, and one wrapper per concern around the pipelines that compute.
//
// From outside in: LoggedExecutor, TimedExecutor, GuardedExecutor, HalvingExecutor, LostDeviceExecutor,
// CancellableExecutor, NeighbourExecutor, PipelineExecutor.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The wrappers take as many tasks at once, each from a thread of its own, as what they wrap: a NeighbourExecutor as
// many as it says, a PipelineExecutor one, always from the same thread.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;
  // What the task computed beside its voxels, which went to the context's sink in full where the result is OK.
  virtual absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) = 0;
};

}  // namespace deconvoy::worker
