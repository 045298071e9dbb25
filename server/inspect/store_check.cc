#include "server/inspect/store_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/input_tasks.h"
#include "server/jobs/job_repair.h"
#include "server/jobs/job_state.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFailRemedy = "`--repair` fails the job; submit it again.";
constexpr const char* kBackupRemedy =
    "Restore the database from a backup, or remove the job with `deconvoy job --delete`.";

// What the check of the spool found to be lost.
struct Lost {
  LostBoxes boxes;
  std::set<std::string> gone;  // volumes without a file, by id
};

Lost LostOf(const Inspection& inspection) {
  Lost lost;
  for (const Finding& finding : inspection.findings) {
    if (finding.mend == Mend::kRemoveVolume) lost.gone.insert(finding.id);
    // Boxes of which there is no record cannot be named.
    const bool unnamed = finding.kind == "complete-with-gaps";
    if (finding.mend != Mend::kDropBoxes || (finding.boxes.empty() && !unnamed)) continue;
    std::vector<FrameBox>& boxes = lost.boxes[finding.id];
    boxes.insert(boxes.end(), finding.boxes.begin(), finding.boxes.end());
  }
  return lost;
}

// The checks of one job.
class JobCheck {
 public:
  JobCheck(const fs::path& path, const JobFacts& facts, const Lost& lost, StoreAudit& audit, Store& store,
           Inspection& inspection)
      : path_(path), facts_(facts), lost_(lost), audit_(audit), store_(store), inspection_(inspection) {}

  absl::Status Run() {
    if (!v1::JobState_IsValid(static_cast<int>(facts_.state)) || facts_.state == v1::JOB_STATE_UNSPECIFIED ||
        facts_.illegal_tasks > 0 || facts_.highest_task + 1 != facts_.tasks) {
      Add("job-impossible",
          fmt::format("it is in state {} and has {} tasks, up to number {}, {} of them in no known state", facts_.state,
                      facts_.tasks, facts_.highest_task, facts_.illegal_tasks),
          kBackupRemedy, Mend::kNothing);
      return absl::OkStatus();
    }
    if (facts_.events != facts_.highest_event || facts_.highest_event != facts_.last_sequence) {
      Add("events-missing",
          fmt::format("it counts {} events, of which {} are there, up to number {}", facts_.last_sequence,
                      facts_.events, facts_.highest_event),
          "Its history has gaps, its result is not affected. Restore the database from a backup if the history "
          "matters.",
          Mend::kNothing);
    }
    return IsEnd(static_cast<v1::JobState>(facts_.state)) ? CheckEnded() : CheckUnfinished();
  }

 private:
  Finding& Add(std::string kind, std::string problem, std::string remedy, Mend mend) {
    return inspection_.findings.emplace_back(Finding{.kind = std::move(kind),
                                                     .subject = JobName(facts_.id),
                                                     .path = path_,
                                                     .problem = std::move(problem),
                                                     .remedy = std::move(remedy),
                                                     .mend = mend,
                                                     .id = facts_.id});
  }

  absl::Status CheckEnded() {
    if (facts_.open_tasks > 0) {
      Add("task-open", fmt::format("it has ended, but {} of its tasks have not", facts_.open_tasks),
          "`--repair` cancels them.", Mend::kCloseTasks);
    }
    if (facts_.state != v1::SUCCEEDED) return absl::OkStatus();
    if (facts_.unfinished_tasks > facts_.open_tasks) {
      Add("success-without-tasks",
          fmt::format("it has succeeded, but {} of its tasks were never done", facts_.unfinished_tasks), kBackupRemedy,
          Mend::kNothing);
    }
    ASSIGN_OR_RETURN(const JobRecord record, store_.GetJob(facts_.id));
    for (const v1::JobOutput& output : record.job.outputs()) {
      ASSIGN_OR_RETURN(const std::string id, VolumeId(output.volume(), "outputs"));
      const absl::StatusOr<VolumeRecord> volume = store_.GetVolume(id);  // it may have been deleted since
      if (!volume.ok() || volume->state == v1::COMPLETE) continue;
      Add("result-incomplete", fmt::format("it has succeeded, but its result {} misses voxels", output.volume()),
          "What is left of the result can be read. Remove it, and submit the job again.", Mend::kNothing);
    }
    return absl::OkStatus();
  }

  absl::Status CheckUnfinished() {
    if (facts_.open_tasks == 0 && !WaitsForInput()) {
      Add("job-stuck", "it has not ended, but has no task left to do", kFailRemedy, Mend::kFailJob);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> volumes, audit_.VolumesOf(facts_.id));
    const absl::StatusOr<std::unique_ptr<LiveJob>> job = LoadJob(store_, facts_.id, volumes);
    if (!job.ok()) {
      Add("record-damaged", std::string(job.status().message()), kBackupRemedy, Mend::kNothing);
      return absl::OkStatus();
    }
    if (LacksVolume(**job, volumes)) return absl::OkStatus();
    ASSIGN_OR_RETURN(std::vector<int64_t> lost, TasksWithoutOutput(store_, **job, lost_.boxes));
    if (lost.empty()) return absl::OkStatus();
    const bool again = CanBeRedone(**job, lost);
    Add("task-without-voxels",
        fmt::format("{} of its tasks are done, but what they wrote is not all there, the first is {}", lost.size(),
                    TaskName(facts_.id, lost.front())),
        again ? "`--repair` has them done again." : kFailRemedy, again ? Mend::kRedoTasks : Mend::kFailJob)
        .tasks = std::move(lost);
    return absl::OkStatus();
  }

  // Whether all tasks of a job on a recording are done: it ends when the recording does, or at the next start.
  bool WaitsForInput() {
    if (facts_.tasks == 0 || facts_.unfinished_tasks > 0) return false;
    const absl::StatusOr<JobRecord> record = store_.GetJob(facts_.id);
    return record.ok() && IsGrowing(record->job.spec()) && !record->plan.empty();
  }

  // Whether the job has to fail because a volume of it is not what it was.
  bool LacksVolume(const LiveJob& job, const std::vector<std::string>& volumes) {
    std::set<std::string> outputs;
    for (const v1::JobOutput& output : job.record().job.outputs()) {
      outputs.insert(VolumeId(output.volume(), "outputs").value_or(""));
    }
    for (const std::string& id : volumes) {
      const bool missing = lost_.gone.contains(id) || ReasonOf(store_.GetVolume(id).status()) == v1::NOT_FOUND;
      const bool input_damaged = !outputs.contains(id) && lost_.boxes.contains(id);
      if (!missing && !input_damaged) continue;
      Add("volume-lost", fmt::format("{}, which it needs, is {}", VolumeName(id), missing ? "missing" : "damaged"),
          kFailRemedy, Mend::kFailJob);
      return true;
    }
    return false;
  }

  const fs::path& path_;
  const JobFacts& facts_;
  const Lost& lost_;
  StoreAudit& audit_;
  Store& store_;
  Inspection& inspection_;
};

}  // namespace

absl::Status CheckDatabase(const fs::path& path, StoreAudit& audit, Inspection& inspection) {
  const std::vector<std::string> damage = audit.Damage();
  for (const std::string& line : damage) {
    inspection.findings.push_back(
        {.kind = "database-damaged",
         .subject = "store",
         .path = path,
         .problem = fmt::format("SQLite says: {}", line),
         .remedy = "`--repair` builds indexes anew, which helps where only they are damaged; else restore the database "
                   "from a backup.",
         .mend = Mend::kReindex});
  }
  if (!damage.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> strays, audit.Strays());
  for (const std::string& rows : strays) {
    inspection.findings.push_back({.kind = "rows-stray",
                                   .subject = "store",
                                   .path = path,
                                   .problem = fmt::format("{} hang on something that is not there", rows),
                                   .remedy = "`--repair` removes them.",
                                   .mend = Mend::kRemoveStrays});
  }
  return absl::OkStatus();
}

absl::Status CheckJobs(const fs::path& path, StoreAudit& audit, Store& store, Inspection& inspection) {
  ASSIGN_OR_RETURN(const std::vector<JobFacts> jobs, audit.Jobs());
  ASSIGN_OR_RETURN(const uint64_t counter, audit.TokenCounter());
  const Lost lost = LostOf(inspection);
  int64_t highest_token = 0;
  for (const JobFacts& facts : jobs) {
    ++inspection.jobs;
    highest_token = std::max(highest_token, facts.highest_token);
    RETURN_IF_ERROR(JobCheck(path, facts, lost, audit, store, inspection).Run());
  }
  if (static_cast<uint64_t>(highest_token) <= counter) return absl::OkStatus();
  inspection.findings.push_back(
      {.kind = "token-counter",
       .subject = "store",
       .path = path,
       .problem =
           fmt::format("the fencing token {} has been given out, but the counter is at {}", highest_token, counter),
       .remedy = "`--repair` raises the counter.",
       .mend = Mend::kRaiseTokens,
       .number = highest_token});
  return absl::OkStatus();
}

}  // namespace deconvoy::server
