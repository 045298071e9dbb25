// Ends a worker whose device can no longer be used.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <mutex>
#include <utility>

#include "worker/executor/task_executor.h"

namespace deconvoy::worker {

// The task in which the device is lost fails with the device's error, as does every later one; other tasks pass. Tasks
// may be executed at once; one that goes on while the device is lost has the device's error by itself.
class LostDeviceExecutor : public TaskExecutor {
 public:
  // Whether nothing in this process can use the device after an error.
  using IsLost = std::function<bool(const absl::Status&)>;

  // `next` must outlive the wrapper.
  LostDeviceExecutor(TaskExecutor& next, IsLost is_lost) : next_(next), is_lost_(std::move(is_lost)) {}

  // Called once, when the device is lost, on the thread of the task. Set before the first task.
  void OnLost(std::function<void()> listener) { listener_ = std::move(listener); }

  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override;

  // The error with which the device was lost; OK as long as it is not. From any thread.
  absl::Status lost() const;

 private:
  TaskExecutor& next_;
  const IsLost is_lost_;
  std::function<void()> listener_;

  mutable std::mutex mutex_;
  absl::Status lost_;  // guarded by mutex_
};

}  // namespace deconvoy::worker
