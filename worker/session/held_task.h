// A task that this worker holds: how far it has come and whether it should stop, shared by the threads that work on it
// and the one that talks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "deconvoy/v1/workers.pb.h"
#include "worker/session/stop_signal.h"

namespace deconvoy::worker {

// Thread safe.
class HeldTask {
 public:
  explicit HeldTask(v1::Task task) : task_(std::move(task)) {}

  const v1::Task& task() const { return task_; }
  StopSignal& stop() { return stop_; }

  v1::TaskStage stage() const { return stage_; }
  // One thread at a time.
  void SetStage(v1::TaskStage stage) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (stage_ == v1::COMPUTING) computed_ += now - since_;
    stage_ = stage;
    since_ = now;
  }
  // How long it has been COMPUTING so far.
  std::chrono::steady_clock::duration computed() const {
    const std::lock_guard lock(mutex_);
    if (stage_ != v1::COMPUTING) return computed_;
    return computed_ + (std::chrono::steady_clock::now() - since_);
  }
  void SetProgress(int64_t done, int64_t total) {
    done_ = static_cast<uint32_t>(done);
    total_ = static_cast<uint32_t>(total);
  }
  void SetObjective(const v1::ObjectiveValue& value) {
    std::lock_guard lock(mutex_);
    objective_ = value;
  }
  v1::TaskStatus Status() const {
    v1::TaskStatus status;
    status.set_task(task_.name());
    status.set_token(task_.token());
    status.set_iteration(done_);
    status.set_iterations_total(total_);
    status.set_stage(stage_);
    std::lock_guard lock(mutex_);
    if (objective_) *status.mutable_objective() = *objective_;
    return status;
  }

 private:
  const v1::Task task_;
  StopSignal stop_;
  std::atomic<v1::TaskStage> stage_{v1::STAGED};
  std::atomic<uint32_t> done_{0}, total_{0};
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::optional<v1::ObjectiveValue> objective_;  // the newest
  std::chrono::steady_clock::time_point since_;  // of the stage
  std::chrono::steady_clock::duration computed_{0};
};

}  // namespace deconvoy::worker
