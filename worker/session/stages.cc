#include "worker/session/stages.h"
#include "worker/pipeline/file_tasks.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/executor/crash_point.h"

namespace deconvoy::worker {

Stages::Stages(TaskLine& line, TaskExecutor& executor, const LogExcerpt& log)
    : line_(line),
      executor_(executor),
      log_(log),
      reading_([this] { ReadAhead(); }),
      computing_([this] { Compute(); }),
      delivering_([this] { Deliver(); }) {}

Stages::~Stages() {
  reading_.join();
  computing_.join();
  delivering_.join();
}

void Stages::ReadAhead() {
  while (const std::shared_ptr<Work> work = line_.NextToReadAhead()) {
    const absl::Status status = work->io.ReadAhead();
    if (!status.ok()) spdlog::debug("{}: cannot be read ahead: {}", work->held.task().name(), LogText(status));
  }
}

void Stages::Compute() {
  while (const std::shared_ptr<Work> work = line_.NextToCompute()) {
    const absl::Status status = Execute(*work);
    status.ok() ? line_.Computed(work) : Drop(work, status);
  }
}

absl::Status Stages::Execute(Work& work) {
  CrashPoint("worker-task-started");
  RETURN_IF_ERROR(work.io.Open());
  absl::StatusOr<v1::TaskResult> result = executor_.Execute(work.held.task(), work.io);
  work.io.CloseInput();
  RETURN_IF_ERROR(result.status());
  work.result = *std::move(result);
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
