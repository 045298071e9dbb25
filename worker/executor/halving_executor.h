// Computes a tile that does not fit into memory in parts.
#pragma once

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

// A tile that ends with OUT_OF_MEMORY before any of its result was written is computed as two, one after the other, and
// each of these likewise: as far as its core can be cut (tile_halves.h). The outputs and what is told of them are those
// of the one tile. Its voxels agree with those of a tile that was computed as a whole as those of neighbouring tiles
// do; pairs of neighbouring voxels in different parts are in no sum. While parts are computed no objective is told, and
// progress begins anew with the first of them.
class HalvingExecutor : public TaskExecutor {
 public:
  // `next` must outlive the wrapper.
  explicit HalvingExecutor(TaskExecutor& next) : next_(next) {}

  // Holds the outputs of a tile that is cut in memory of the host until both parts are there. Errors: those of the next
  // one.
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  absl::StatusOr<v1::TaskResult> Attempt(const v1::Task& task, TaskContext& context);

  TaskExecutor& next_;
};

}  // namespace deconvoy::worker
