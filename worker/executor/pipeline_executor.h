// Hands each kind of task to its pipeline.
#pragma once

#include "worker/executor/task_executor.h"
#include "worker/ops/backend.h"
#include "worker/pipeline/tile.h"

namespace deconvoy::worker {

class PipelineExecutor : public TaskExecutor {
 public:
  // `backend` must outlive the executor.
  explicit PipelineExecutor(Backend& backend) : backend_(backend), tiles_(backend) {}

  // Errors: those of the pipelines; INVALID_FIELD for a kind of task that this worker does not know.
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

  // Gives back the memory that is kept for the next tile.
  void Release() { tiles_.Release(); }

 private:
  Backend& backend_;
  TilePipeline tiles_;
};

}  // namespace deconvoy::worker
