#include "server/jobs/job_step.h"

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/outputs.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "server/jobs/job_state.h"

namespace deconvoy::server {
JobStep::JobStep(const LiveJob& job, absl::Time now) : live_(job), now_(now) {
  change.job = job.record();
}

v1::JobEvent& JobStep::AddEvent() {
  v1::JobEvent& event = change.events.emplace_back();
  *event.mutable_time() = ToTimestamp(now_);
  return event;
}

absl::Status JobStep::MoveJob(v1::JobState to) {
  RETURN_IF_ERROR(Move(change.job.state, to));
  if (to == v1::RUNNING && !job().has_start_time()) *job().mutable_start_time() = ToTimestamp(now_);
  if (IsEnd(to)) *job().mutable_end_time() = ToTimestamp(now_);
  AnnounceState();
  return absl::OkStatus();
}

void JobStep::AnnounceState() {
  AddEvent().set_state(change.job.state);
}

absl::Status JobStep::MoveTask(TaskRecord task, TaskState to) {
  RETURN_IF_ERROR(Move(task.state, to));
  if (!moved_.insert(task.number).second) return absl::InternalError("a task can move only once in a step");
  if (to == TaskState::kDone) job().mutable_progress()->set_tasks_done(job().progress().tasks_done() + 1);
  change.changed_tasks.push_back(std::move(task));
  return absl::OkStatus();
}

void JobStep::AddFinding(const v1::Finding& finding) {
  *job().add_findings() = finding;
  *AddEvent().mutable_finding() = finding;
}

void JobStep::AddRetry(const TaskRecord& task, const absl::Status& error, bool lost_lease) {
  v1::TaskRetry& retry = *AddEvent().mutable_retry();
  retry.set_task(TaskName(task.job_id, task.number));
  retry.set_attempt(static_cast<uint32_t>(task.failures + task.losses));
  *retry.mutable_error() = ToStored(error);
  retry.set_lost_lease(lost_lease);
}

absl::Status JobStep::CancelOpenTasks() {
  for (int64_t number = 0; number < live_.task_count(); ++number) {
    if (IsEnd(live_.task(number).state) || moved_.contains(number)) continue;
    RETURN_IF_ERROR(MoveTask(live_.RecordOf(number), TaskState::kCancelled));
  }
  return absl::OkStatus();
}

absl::Status JobStep::End(v1::JobState state) {
  RETURN_IF_ERROR(MoveJob(state));
  v1::JobProgress& progress = *job().mutable_progress();
  progress.clear_activity();
  progress.set_fraction(1.0 * progress.tasks_done() / std::max(progress.tasks_total(), 1U));
  v1::Job& ended = *AddEvent().mutable_ended();
  ended = job();
  ended.set_name(JobName(change.job.id));
  ended.set_state(state);
  *ended.mutable_create_time() = ToTimestamp(change.job.create_time);
  ended.set_last_sequence(live_.record().job.last_sequence() + change.events.size());
  return absl::OkStatus();
}

absl::Status JobStep::Succeed() {
  if (job().spec().has_import_file()) {
    RETURN_IF_ERROR(CompleteImport());
    return End(v1::SUCCEEDED);
  }
  for (const v1::JobOutput& output : job().outputs()) {
    ASSIGN_OR_RETURN(std::string id, VolumeId(output.volume(), "outputs"));
    (output.role() == kTrainingRole ? change.deleted_volumes : change.completed_volumes).push_back(std::move(id));
  }
  auto& outputs = *job().mutable_outputs();
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(),
                               [](const v1::JobOutput& output) { return output.role() == kTrainingRole; }),
                outputs.end());
  return End(v1::SUCCEEDED);
}

// Without a plan the output is a volume that was complete before.
absl::Status JobStep::CompleteImport() {
  if (!live_.plan()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string id, VolumeId(job().outputs(0).volume(), "outputs"));
  change.imported = {.volume_id = std::move(id), .digest = live_.plan()->import->spec.digest()};
  return absl::OkStatus();
}

absl::Status JobStep::EndWithoutResult(v1::JobState state) {
  RETURN_IF_ERROR(CancelOpenTasks());
  change.committed.clear();
  change.previews.clear();
  for (const v1::JobOutput& output : job().outputs()) {
    ASSIGN_OR_RETURN(std::string id, VolumeId(output.volume(), "outputs"));
    change.deleted_volumes.push_back(std::move(id));
  }
  job().clear_outputs();
  job().clear_result();
  return End(state);
}

absl::Status JobStep::FailJob(const absl::Status& error, const std::string& log_excerpt) {
  *job().mutable_error() = ToStored(error);
  const size_t start = log_excerpt.size() - std::min(log_excerpt.size(), limits::kLogExcerptBytes);
  job().set_worker_log(log_excerpt.substr(start));
  return EndWithoutResult(v1::FAILED);
}

absl::Status JobStep::Cancel() {
  return EndWithoutResult(v1::CANCELLED);
}

}  // namespace deconvoy::server
