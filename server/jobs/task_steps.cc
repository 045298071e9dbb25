// JobManager: how tasks are given out and end.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/file_job.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_step.h"
#include "server/jobs/live_job.h"
#include "server/jobs/task_builder.h"

namespace deconvoy::server {
namespace {

absl::Status StaleLease(const TaskId& task, uint64_t token) {
  return MakeError(
      {.reason = v1::STALE_LEASE, .remedy = "Drop the task; another worker has it, or its job has ended."},
      fmt::format("the lease {} of {} is not the task's any more", token, TaskName(task.job_id, task.number)));
}

}  // namespace

absl::StatusOr<std::optional<v1::Task>> JobManager::Lease(const std::string& job_id, const std::string& worker,
                                                          bool spare) {
  const std::shared_ptr<LiveJob> job = FindLive(job_id);
  if (job == nullptr) return std::nullopt;
  std::lock_guard turn(job->turn);
  std::optional<int64_t> number;
  {
    std::lock_guard lock(mutex_);
    if (!job->HasAvailable(clock_.Steady())) return std::nullopt;
    number = job->FirstAvailable(spare ? worker : "");
  }
  if (!number || job->record().state == v1::PAUSED) return std::nullopt;
  v1::FileAccess file;
  if (IsFileJob(job->spec())) {
    absl::StatusOr<v1::FileAccess> access = AccessOf(roots_, *job);
    if (!access.ok()) {
      RETURN_IF_ERROR(FailNow(*job, access.status()));
      return std::nullopt;
    }
    file = *std::move(access);
  }
  absl::StatusOr<v1::Task> given = LeaseTask(*job, *number, worker, file);
  if (ReasonOf(given.status()) == v1::DISK_FULL) {
    WaitForRoom(*job, given.status());
    return std::nullopt;
  }
  RETURN_IF_ERROR(given.status());
  return *std::move(given);
}

absl::Status JobManager::FailNow(LiveJob& job, const absl::Status& error) {
  JobStep step(job, clock_.Wall());
  RETURN_IF_ERROR(step.FailJob(error, ""));
  return Finish(job, std::move(step));
}

absl::StatusOr<v1::Task> JobManager::LeaseTask(LiveJob& job, int64_t number, const std::string& worker,
                                               const v1::FileAccess& file) {
  v1::Task given = BuildTask(job, number);
  if (IsFileJob(job.spec())) SetAccess(file, given);
  if (given.has_look_at_file()) {
    ASSIGN_OR_RETURN(const int64_t free_bytes, volumes_.FreeBytes());
    given.mutable_look_at_file()->set_largest_bytes(static_cast<uint64_t>(free_bytes + volumes_.UsedBytes()));
  }
  if (const int64_t bytes = OutputBytes(given); bytes > 0) {
    const absl::Status room = volumes_.CheckRoom(bytes);
    if (ReasonOf(room) == v1::DISK_FULL) return room;
  }
  ASSIGN_OR_RETURN(const uint64_t token, store_.NextToken());
  JobStep step(job, clock_.Wall());
  if (job.record().state == v1::PENDING) RETURN_IF_ERROR(step.MoveJob(v1::RUNNING));
  TaskRecord task = job.RecordOf(number);
  task.token = token;
  task.worker = worker;
  RETURN_IF_ERROR(step.MoveTask(std::move(task), TaskState::kLeased));
  RETURN_IF_ERROR(Finish(job, std::move(step)));
  given.set_token(token);
  return given;
}

void JobManager::WaitForRoom(LiveJob& job, const absl::Status& error) {
  const std::string lack = LackOfRoom(error);
  {
    std::lock_guard lock(mutex_);
    const absl::Duration pause = BackoffAfter(job.room_waits() + 1, rules_);
    job.WaitForRoom(lack, clock_.Steady() + absl::ToChronoNanoseconds(pause));
  }
  changed_.notify_all();
  if (job.room_waits() == 1) spdlog::warn("{} waits for {}", JobName(job.id()), lack);
}

bool JobManager::Holds(const TaskId& task, uint64_t token) {
  std::lock_guard lock(mutex_);
  const auto job = live_.find(task.job_id);
  return job != live_.end() && job->second->Holds(task.number, token);
}

bool JobManager::IsPaused(const std::string& job_id) {
  std::lock_guard lock(mutex_);
  const auto job = live_.find(job_id);
  return job != live_.end() && job->second->record().state == v1::PAUSED;
}

bool JobManager::HasEnded(const std::string& job_id) {
  std::lock_guard lock(mutex_);
  return !live_.contains(job_id);
}

std::string JobManager::FailedBy(const TaskId& task) {
  std::lock_guard lock(mutex_);
  const auto job = live_.find(task.job_id);
  return job != live_.end() ? job->second->FailedBy(task.number) : "";
}

void JobManager::Report(const TaskId& task, const v1::TaskStatus& status) {
  {
    std::lock_guard lock(mutex_);
    const auto job = live_.find(task.job_id);
    if (job == live_.end() || !job->second->Holds(task.number, status.token())) return;
    job->second->Report(task.number, status);
  }
  changed_.notify_all();
}

absl::StatusOr<JobManager::Completion> JobManager::CheckDelivery(const TaskId& task, uint64_t token) {
  const std::shared_ptr<LiveJob> job = FindLive(task.job_id);
  if (job == nullptr) return CheckStored(task, token);
  std::lock_guard turn(job->turn);
  return CheckLive(*job, task, token);
}

absl::StatusOr<JobManager::Completion> JobManager::CheckLive(const LiveJob& job, const TaskId& task, uint64_t token) {
  if (job.Holds(task.number, token)) return Completion::kPending;
  const bool done = job.has_task(task.number) && job.task(task.number).token == token &&
                    job.task(task.number).state == TaskState::kDone;
  if (done) return Completion::kDone;
  return StaleLease(task, token);
}

absl::StatusOr<JobManager::Completion> JobManager::CheckStored(const TaskId& task, uint64_t token) {
  const absl::StatusOr<std::vector<TaskRecord>> tasks = store_.GetTasks(task.job_id);
  if (ReasonOf(tasks.status()) == v1::NOT_FOUND) return StaleLease(task, token);  // the job has been deleted
  RETURN_IF_ERROR(tasks.status());
  const auto found = std::find_if(tasks->begin(), tasks->end(), [&](const TaskRecord& stored) {
    return stored.number == task.number && stored.token == token && stored.state == TaskState::kDone;
  });
  if (found == tasks->end()) return StaleLease(task, token);
  return Completion::kDone;
}

absl::Status JobManager::Complete(const TaskId& task, uint64_t token, const v1::TaskResult& result,
                                  const std::vector<uint32_t>& box_crc32c, const TaskSpending& spending) {
  const std::shared_ptr<LiveJob> job = FindLive(task.job_id);
  if (job == nullptr) return CheckStored(task, token).status();
  std::lock_guard turn(job->turn);
  ASSIGN_OR_RETURN(const Completion completion, CheckLive(*job, task, token));
  if (completion == Completion::kDone) return absl::OkStatus();
  ImportDecision import;
  std::optional<Quotas::Hold> hold;
  if (result.has_look_at_file() && job->task(task.number).kind == TaskKind::kLookAtFile) {
    ASSIGN_OR_RETURN(import, DecideImport(*job, result.look_at_file(), hold));
  }
  JobStep step(*job, clock_.Wall());
  const absl::Status taken = TakeResult(step, task.number, result, box_crc32c, capabilities_, import);
  if (!taken.ok()) {
    if (import.made) volumes_.Discard(import.made->id);
    return taken;
  }
  step.change.usage = {.owner = job->record().owner,
                       .month = MonthOf(step.now()),
                       .worker_ms = absl::ToInt64Milliseconds(spending.worker_time),
                       .tasks = 1};
  AddMovedBytes(*job, task.number, *step.change.usage);
  step.change.share = spending.share;
  const absl::Status applied = Finish(*job, std::move(step));
  // After a failure of the disk the record may be there after all at the next start, which removes the file otherwise.
  const bool unmade = !applied.ok() && ReasonOf(applied) != v1::STORAGE_FAILURE;
  if (unmade && import.made) volumes_.Discard(import.made->id);
  return applied;
}

absl::Status JobManager::Fail(const TaskId& task, uint64_t token, const TaskFailure& failure) {
  const std::shared_ptr<LiveJob> job = FindLive(task.job_id);
  if (job == nullptr) return absl::OkStatus();
  std::lock_guard turn(job->turn);
  if (!job->Holds(task.number, token)) return absl::OkStatus();
  JobStep step(*job, clock_.Wall());
  RETURN_IF_ERROR(TakeFailure(step, task.number, failure, rules_));
  RETURN_IF_ERROR(Finish(*job, std::move(step)));
  if (ReasonOf(failure.error) == v1::DISK_FULL) WaitForRoom(*job, failure.error);
  return absl::OkStatus();
}

}  // namespace deconvoy::server
