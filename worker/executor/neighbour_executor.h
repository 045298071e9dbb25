// Executes two tiles at once where the device gains by that, each on half of its memory.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "worker/executor/pipeline_executor.h"
#include "worker/executor/task_executor.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// Tasks that do not share the memory (MayShare) are executed alone, on all of it.
class NeighbourExecutor : public TaskExecutor {
 public:
  // On `backend`, which must outlive the executor, and on its halves. Where it has none, or `budget_bytes` of memory
  // are too little for two, every task is executed alone.
  NeighbourExecutor(Backend& backend, int64_t budget_bytes);

  // Tasks that may be executed at once, each from a thread of its own.
  int at_once() const { return halves_.empty() ? 1 : static_cast<int>(halves_.size()); }
  // What a task may need that shares the memory; 0 where none does.
  int64_t share_bytes() const { return share_bytes_; }

  // Waits until the task may be executed beside those that are. What was kept for tiles of the other kind is given back
  // first. Errors: those of PipelineExecutor.
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

 private:
  // The memory, or a half of it.
  struct Place {
    explicit Place(Backend& backend) : executor(backend) {}
    PipelineExecutor executor;
    bool busy = false;  // guarded by mutex_
  };
  struct Leave {
    NeighbourExecutor* executor;
    void operator()(Place* place) const;
  };
  // A place that is left at the end.
  using Stay = std::unique_ptr<Place, Leave>;

  Stay EnterHalf();
  Stay EnterWhole();

  // Constant.
  const std::vector<std::unique_ptr<Backend>> backends_;  // of the halves
  int64_t share_bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable left_;
  // The executor of a place is its own while it is busy, else guarded by mutex_.
  Place whole_;
  std::vector<std::unique_ptr<Place>> halves_;
};

// Whether a task may be executed beside another one: a tile without models that needs no more than `share_bytes`.
bool MayShare(const v1::Task& task, int64_t share_bytes);

}  // namespace deconvoy::worker
