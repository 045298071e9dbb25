#include "server/fleet/local_launcher.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "proto/contract/error.h"
#include "server/fleet/child_process.h"

namespace deconvoy::server {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Keeps one worker running. Its thread is the one that starts the process, because a child lives no longer than the
// thread it was started from.
class WorkerSupervisor {
 public:
  WorkerSupervisor(int64_t number, const Command& worker, const Launcher::ExitListener& on_exit, const Backoff& backoff)
      : number_(number), worker_(worker), on_exit_(on_exit), backoff_(backoff), thread_([this] { Run(); }) {}

  ~WorkerSupervisor() { thread_.join(); }

  // No further starts; tells the worker to end.
  void AskToEnd() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (child_) child_->Signal(SIGTERM);
    changed_.notify_all();
  }

  // Waits for the end until `limit`, then forces it.
  void End(steady_clock::time_point limit) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, limit, [this] { return ended_; })) return;
    if (child_) {
      spdlog::warn("worker process {} does not end and is killed", child_->id());
      child_->Signal(SIGKILL);
    }
  }

 private:
  void Run() {
    while (RunOnce()) {
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  // One life of the worker and the pause after it; false when there is to be no other.
  bool RunOnce() {
    const auto start = steady_clock::now();
    std::string how;
    {
      std::unique_lock lock(mutex_);
      if (stopping_) return false;
      auto child = ChildProcess::Start(worker_, STDERR_FILENO);
      if (child.ok()) {
        child_ = *std::move(child);
      } else {
        how = std::string(child.status().message());
      }
    }
    if (child_) {
      const pid_t id = child_->id();
      spdlog::info("worker {} started as process {}", number_, id);
      const ProcessEnd end = child_->Wait();
      how = end.Text();
      std::unique_lock lock(mutex_);
      child_.reset();
      const bool asked = stopping_ || (!end.by_signal && end.code == 0);
      // A worker that was forced to end says nothing against its task.
      const bool by_signal = end.by_signal && !stopping_;
      lock.unlock();
      on_exit_(static_cast<uint32_t>(id), by_signal);
      if (asked) {
        spdlog::info("worker {} (process {}) has ended as asked: {}", number_, id, how);
        return false;
      }
    }
    return Pause(start, how);
  }

  // Waits before the next start; false when there is to be none.
  bool Pause(steady_clock::time_point start, const std::string& how) {
    const bool healthy = steady_clock::now() - start >= backoff_.healthy;
    pause_ = healthy ? milliseconds{0} : std::clamp(2 * pause_, backoff_.first, backoff_.longest);
    spdlog::warn("worker {} has ended: {}; the next start is in {} ms", number_, Printable(how), pause_.count());
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, pause_, [this] { return stopping_; });
  }

  // Constant.
  const int64_t number_;
  const Command& worker_;
  const Launcher::ExitListener& on_exit_;
  const Backoff backoff_;

  milliseconds pause_{0};  // only by the thread

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_. The thread alone sets `child_`, and may read it without.
  std::unique_ptr<ChildProcess> child_;
  bool stopping_ = false;
  bool ended_ = false;

  std::thread thread_;
};

LocalLauncher::LocalLauncher(std::vector<Command> workers, ExitListener on_exit, const Backoff& backoff)
    : workers_(std::move(workers)), on_exit_(std::move(on_exit)), backoff_(backoff) {}

LocalLauncher::~LocalLauncher() {
  Stop({});
}

absl::Status LocalLauncher::Start() {
  int64_t number = 0;
  for (const Command& worker : workers_) {
    supervisors_.push_back(std::make_unique<WorkerSupervisor>(++number, worker, on_exit_, backoff_));
  }
  return absl::OkStatus();
}

void LocalLauncher::Stop(std::chrono::milliseconds grace) {
  const auto limit = steady_clock::now() + grace;
  for (const auto& supervisor : supervisors_) supervisor->AskToEnd();
  for (const auto& supervisor : supervisors_) supervisor->End(limit);
  supervisors_.clear();
}

}  // namespace deconvoy::server
