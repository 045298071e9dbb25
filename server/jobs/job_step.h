// One step of a job's life while it is being planned: what has moved so far, ready to be applied to the store.
//
// Nothing here touches the job in memory. Not thread safe. REQUIRES: the job's turn is held for the step's whole life.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "server/jobs/job_plan.h"
#include "server/jobs/live_job.h"
#include "server/store/store.h"

namespace deconvoy::server {

class JobStep {
 public:
  JobStep(const LiveJob& job, absl::Time now);

  const LiveJob& live() const { return live_; }
  v1::Job& job() { return change.job.job; }
  absl::Time now() const { return now_; }

  // Moves the job, sets its times and tells watchers. INTERNAL when the state may not follow.
  absl::Status MoveJob(v1::JobState to);
  // Moves a task whose record has been edited as needed; at most once per step and task.
  absl::Status MoveTask(TaskRecord task, TaskState to);

  void AnnounceState();  // tells watchers the state that the job is in
  void AddFinding(const v1::Finding& finding);
  // Tells watchers that the task has returned to the queue, because of `error`.
  void AddRetry(const TaskRecord& task, const absl::Status& error, bool lost_lease);

  // Ends the job: its open tasks are cancelled; its results are completed when it has SUCCEEDED, else deleted. The last
  // thing in a step.
  absl::Status Succeed();
  absl::Status FailJob(const absl::Status& error, const std::string& log_excerpt);
  absl::Status Cancel();

  JobChange change;
  std::optional<JobPlan> plan;  // set when this step makes it

 private:
  v1::JobEvent& AddEvent();
  absl::Status CancelOpenTasks();
  absl::Status CompleteImport();
  absl::Status End(v1::JobState state);
  absl::Status EndWithoutResult(v1::JobState state);

  const LiveJob& live_;
  const absl::Time now_;
  std::set<int64_t> moved_;  // tasks
};

}  // namespace deconvoy::server
