#include "worker/executor/lost_device_executor.h"

#include "proto/contract/error.h"

namespace deconvoy::worker {

absl::StatusOr<v1::TaskResult> LostDeviceExecutor::Execute(const v1::Task& task, TaskContext& context) {
  if (const absl::Status before = lost(); !before.ok()) return AddContext(before, "the device was lost");
  absl::StatusOr<v1::TaskResult> result = next_.Execute(task, context);
  if (result.ok() || !is_lost_(result.status())) return result;
  {
    const std::lock_guard lock(mutex_);
    if (!lost_.ok()) return result;  // told by a task beside this one
    lost_ = result.status();
  }
  if (listener_) listener_();
  return result;
}

absl::Status LostDeviceExecutor::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace deconvoy::worker
