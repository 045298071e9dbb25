#include "server/jobs/job_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/job_step.h"
#include "server/jobs/task_builder.h"

namespace deconvoy::server {
namespace {

using BoxKey = std::array<int64_t, 8>;

BoxKey KeyOf(const FrameBox& box) {
  const auto& [origin, shape] = box.box;
  return {box.t, box.c, origin.z, origin.y, origin.x, shape.z, shape.y, shape.x};
}

// The boxes of volumes that are recorded and not lost, each volume's read once.
class RecordedBoxes {
 public:
  RecordedBoxes(Store& store, const LostBoxes& lost) : store_(store), lost_(lost) {}

  absl::StatusOr<bool> Has(const v1::OutputPiece& piece) {
    ASSIGN_OR_RETURN(const std::string id, VolumeId(piece.volume(), "outputs"));
    if (!boxes_.contains(id)) RETURN_IF_ERROR(Load(id));
    return boxes_[id].contains(KeyOf(ToFrameBox(piece.box())));
  }

 private:
  absl::Status Load(const std::string& id) {
    absl::StatusOr<std::vector<CommittedBox>> boxes = store_.GetBoxes(id, -1, -1);
    if (!boxes.ok() && ReasonOf(boxes.status()) != v1::NOT_FOUND) return boxes.status();
    std::set<BoxKey>& keys = boxes_[id];
    for (const CommittedBox& box : boxes.ok() ? *boxes : std::vector<CommittedBox>()) keys.insert(KeyOf(box.box));
    const auto lost = lost_.find(id);
    for (const FrameBox& box : lost == lost_.end() ? std::vector<FrameBox>() : lost->second) keys.erase(KeyOf(box));
    return absl::OkStatus();
  }

  Store& store_;
  const LostBoxes& lost_;
  std::map<std::string, std::set<BoxKey>> boxes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LiveJob>> LoadJob(Store& store, const std::string& job_id,
                                                 const std::vector<std::string>& volumes) {
  ASSIGN_OR_RETURN(JobRecord record, store.GetJob(job_id));
  std::map<std::string, v1::VolumeSpec> specs;
  for (const std::string& id : volumes) {
    const absl::StatusOr<VolumeRecord> volume = store.GetVolume(id);
    if (!volume.ok() && ReasonOf(volume.status()) != v1::NOT_FOUND) return volume.status();
    specs[id] = volume.ok() ? volume->spec : v1::VolumeSpec();
  }
  ASSIGN_OR_RETURN(const std::vector<TaskRecord> tasks, store.GetTasks(job_id));
  std::optional<JobPlan> plan;
  if (!record.plan.empty()) {
    ASSIGN_OR_RETURN(plan, DecodePlan(record.plan));
  }
  return std::make_unique<LiveJob>(std::move(record), std::move(specs), tasks, std::move(plan), absl::InfiniteFuture(),
                                   LiveJob::SteadyTime());
}

absl::StatusOr<std::vector<int64_t>> TasksWithoutOutput(Store& store, const LiveJob& job, const LostBoxes& lost) {
  RecordedBoxes recorded(store, lost);
  std::vector<int64_t> found;
  for (int64_t number = 0; number < job.task_count(); ++number) {
    if (job.task(number).state != TaskState::kDone) continue;
    bool whole = true;
    for (const v1::OutputPiece& piece : OutputsOf(job, number)) {
      ASSIGN_OR_RETURN(const bool there, recorded.Has(piece));
      whole = whole && there;
    }
    if (!whole) found.push_back(number);
  }
  return found;
}

bool CanBeRedone(const LiveJob& job, const std::vector<int64_t>& tasks) {
  return std::all_of(tasks.begin(), tasks.end(), [&](int64_t number) {
    const TaskKind kind = job.task(number).kind;
    return kind == TaskKind::kProject || kind == TaskKind::kReadFile ||
           (kind == TaskKind::kTile && !StartsFromPrevious(job.spec()));
  });
}

absl::Status RedoTasks(Store& store, const LiveJob& job, const std::vector<int64_t>& tasks, const absl::Status& why,
                       absl::Time now) {
  JobStep step(job, now);
  for (const int64_t number : tasks) {
    TaskRecord task = job.RecordOf(number);
    task.state = TaskState::kReady;
    step.AddRetry(task, why, false);
    step.change.changed_tasks.push_back(std::move(task));
  }
  v1::JobProgress& progress = *step.job().mutable_progress();
  progress.set_tasks_done(progress.tasks_done() - std::min(progress.tasks_done(), static_cast<uint32_t>(tasks.size())));
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(
      fmt::format("{} of the job's tasks were done again after their voxels had been lost from the server's disk; sums "
                  "over tiles, such as the residuals, count them twice",
                  tasks.size()));
  step.AddFinding(finding);
  return store.Apply(step.change);
}

absl::Status FailForGood(Store& store, const LiveJob& job, const absl::Status& why, absl::Time now) {
  JobStep step(job, now);
  RETURN_IF_ERROR(step.FailJob(why, ""));
  std::erase_if(step.change.deleted_volumes,
                [&](const std::string& id) { return ReasonOf(store.GetVolume(id).status()) == v1::NOT_FOUND; });
  return store.Apply(step.change);
}

}  // namespace deconvoy::server
