#include "worker/executor/guarded_executor.h"

#include <fmt/format.h>

#include <exception>
#include <new>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/simulate.h"

namespace deconvoy::worker {
namespace {

absl::StatusOr<int64_t> TileNeed(const v1::TileTask& tile) {
  const Method* method = FindMethod(tile.spec().method());
  if (method == nullptr) return 0;
  ASSIGN_OR_RETURN(
      const Parameters parameters,
      ResolveParameters(method->description(), {tile.spec().parameters().begin(), tile.spec().parameters().end()}));
  return TaskBytes(ToShape3(tile.padded()), BytesPerPaddedVoxel(method->description(), parameters));
}

}  // namespace

absl::StatusOr<int64_t> NeedBytes(const v1::Task& task) {
  if (task.has_tile()) return TileNeed(task.tile());
  if (task.has_simulate()) return SimulationBytes(task);
  return 0;
}

absl::StatusOr<v1::TaskResult> GuardedExecutor::Execute(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const int64_t need, NeedBytes(task));
  RETURN_IF_ERROR(CheckBudget(need, budget_bytes_));
  try {
    return next_.Execute(task, context);
  } catch (const std::bad_alloc&) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use smaller tiles, or a worker with more memory."},
                     fmt::format("the worker ran out of memory in a task planned for {} MiB", need >> 20));
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("the task ended with an exception: {}", error.what()));
  }
}

}  // namespace deconvoy::worker
