#include "worker/session/stages.h"
#include "worker/pipeline/file_tasks.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/executor/crash_point.h"

namespace deconvoy::worker {
namespace {

// A task's context that computes when the line says so.
class TurnContext final : public TaskContext {
 public:
  // Both must outlive it.
  TurnContext(TaskLine& line, const std::shared_ptr<Work>& work) : line_(line), work_(work) {}

  VolumeSource& source() override { return work_->io.source(); }
  OutputSink& sink() override { return work_->io.sink(); }
  void Objective(const v1::ObjectiveValue& value) override { work_->io.Objective(value); }
  absl::Status Progress(int64_t done, int64_t total) override { return work_->io.Progress(done, total); }
  bool cancelled() const override { return work_->io.cancelled(); }
  absl::Status BeginComputing() override {
    return line_.BeginComputing(work_) ? absl::OkStatus() : absl::CancelledError("the task was stopped");
  }
  void EndComputing() override { line_.EndComputing(work_); }
  std::chrono::duration<double> Aside() const override {
    const auto aside = std::chrono::steady_clock::now() - begun_ - work_->held.computed();
    return std::max(aside, std::chrono::steady_clock::duration::zero());
  }

 private:
  TaskLine& line_;
  const std::shared_ptr<Work>& work_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

Stages::Stages(TaskLine& line, TaskExecutor& executor, const LogExcerpt& log)
    : line_(line), executor_(executor), log_(log) {
  threads_.emplace_back([this] { ReadAhead(); });
  for (int i = 0; i < line_.at_once(); ++i) threads_.emplace_back([this] { Compute(); });
  threads_.emplace_back([this] { Deliver(); });
}

Stages::~Stages() {
  for (std::thread& thread : threads_) thread.join();
}

void Stages::ReadAhead() {
  while (const std::shared_ptr<Work> work = line_.NextToReadAhead()) {
    const absl::Status status = work->io.ReadAhead();
    if (!status.ok()) spdlog::debug("{}: cannot be read ahead: {}", work->held.task().name(), LogText(status));
  }
}

void Stages::Compute() {
  while (const std::shared_ptr<Work> work = line_.NextToCompute()) {
    const absl::Status status = Execute(work);
    status.ok() ? line_.Computed(work) : Drop(work, status);
  }
}

absl::Status Stages::Execute(const std::shared_ptr<Work>& work) {
  CrashPoint("worker-task-started");
  TurnContext context(line_, work);
  RETURN_IF_ERROR(work->io.Open());
  absl::StatusOr<v1::TaskResult> result = executor_.Execute(work->held.task(), context);
  work->io.CloseInput();
  RETURN_IF_ERROR(result.status());
  work->result = *std::move(result);
  return absl::OkStatus();
}

void Stages::Deliver() {
  while (const std::shared_ptr<Work> work = line_.NextToDeliver()) {
    const absl::Status status = work->io.Deliver(work->result);
    if (!status.ok()) {
      Drop(work, status);
      continue;
    }
    spdlog::info("{}: delivered", work->held.task().name());
    line_.Remove(work);
  }
}

// The server is told why, unless it knows.
void Stages::Drop(const std::shared_ptr<Work>& work, const absl::Status& status) {
  v1::TaskStatus report = work->held.Status();
  if (work->held.stop().stopped() || ReasonOf(status) == v1::STALE_LEASE) {
    spdlog::info("{}: dropped: {}", report.task(), LogText(status));
    return line_.Remove(work);
  }
  spdlog::error("{}: given up: {}", report.task(), LogText(status));
  *report.mutable_error() = ToStored(status);
  // What the request or its data got wrong stays wrong on any worker.
  const v1::Task& task = work->held.task();
  const bool of_file = task.has_look_at_file() || task.has_read_file() || task.has_write_file();
  report.set_retry_elsewhere(!absl::IsInvalidArgument(status) && !(of_file && EndsFileTask(status)));
  report.set_log_excerpt(log_.Last(report.task().substr(0, report.task().find("/tasks/"))));
  line_.GiveUp(work, std::move(report));
}

}  // namespace deconvoy::worker
