// JobManager: how a job comes in.
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "server/jobs/calibration.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_step.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {
namespace {

// The same for the same request, whatever the order in which its parameters were given.
std::string DigestOf(const v1::JobSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(bytes)));
  return ToHex(digest.Finish());
}

TaskRecord NewTask(const std::string& job_id, int64_t number, TaskKind kind, TaskState state = TaskState::kReady) {
  TaskRecord task;
  task.job_id = job_id;
  task.number = number;
  task.kind = kind;
  task.state = state;
  return task;
}

// The tasks that a job starts with. The analysis of a volume that is still being written waits for its first planes.
std::vector<TaskRecord> FirstTasks(const std::string& job_id, const Examination& examination) {
  const v1::JobSpec& spec = examination.spec;
  const TaskState analysis = IsGrowing(spec) ? TaskState::kBlocked : TaskState::kReady;
  if (spec.has_deconvolve()) return {NewTask(job_id, 0, TaskKind::kAnalyse, analysis)};
  if (spec.has_simulate()) return {NewTask(job_id, 0, TaskKind::kSimulate)};
  if (spec.has_distill()) return {NewTask(job_id, 0, TaskKind::kDistill)};
  if (spec.has_check_psf()) return {NewTask(job_id, 0, TaskKind::kCheckPsf)};
  if (spec.has_prepare_psf()) return {NewTask(job_id, 0, TaskKind::kPreparePsf)};
  if (spec.has_model_psf()) return {NewTask(job_id, 0, TaskKind::kModelPsf)};
  if (spec.has_import_file()) return {NewTask(job_id, 0, TaskKind::kLookAtFile)};
  if (spec.has_export_file()) return {NewTask(job_id, 0, TaskKind::kWriteFile)};
  if (spec.has_train_model()) return {NewTask(job_id, 0, TaskKind::kTrain)};
  if (spec.has_check_model()) return {NewTask(job_id, 0, TaskKind::kCheckModel)};
  std::vector<TaskRecord> tasks;
  const v1::Shape5& shape = examination.outputs.front().spec.shape();
  for (int64_t t = 0; t < shape.t(); ++t) {
    for (int64_t c = 0; c < shape.c(); ++c) {
      TaskRecord task = NewTask(job_id, static_cast<int64_t>(tasks.size()), TaskKind::kProject);
      task.t = t;
      task.c = c;
      tasks.push_back(std::move(task));
    }
  }
  return tasks;
}

// The first refusal of a report as an error, OK if there is none.
absl::Status FirstRefusal(const v1::PreflightReport& report) {
  for (const v1::Finding& finding : report.findings()) {
    if (finding.severity() != v1::REFUSAL) continue;
    const v1::ErrorInfo& info = finding.info();
    return MakeError({.reason = info.reason(),
                      .field = info.field(),
                      .remedy = info.remedy(),
                      .metadata = {info.metadata().begin(), info.metadata().end()}},
                     finding.message());
  }
  return absl::OkStatus();
}

int64_t ExpectedTasks(const Examination& examination, size_t first_tasks) {
  // All parts and the end, unless it ends early.
  if (examination.spec.has_train_model()) return int64_t{examination.spec.train_model().parts()} + 1;
  if (!examination.spec.has_deconvolve()) return static_cast<int64_t>(first_tasks);
  const v1::Shape5& shape = examination.outputs.front().spec.shape();
  const int64_t tiles = examination.report.tiles_per_frame();
  const bool calibrates = IsAutomatic(examination.spec.deconvolve());
  const int64_t samples = calibrates ? shape.c() * static_cast<int64_t>(SampleTiles(tiles).size()) : 0;
  const std::vector<PlannedOutput>& outputs = examination.outputs;
  const bool estimates = std::any_of(outputs.begin(), outputs.end(), [](const auto& o) { return o.role == "psf"; });
  return 1 + (estimates ? shape.c() : 0) + samples + int64_t{shape.t()} * shape.c() * tiles;
}

}  // namespace

absl::StatusOr<v1::PreflightReport> JobManager::Preflight(const std::string& owner, const v1::JobSpec& spec) {
  ASSIGN_OR_RETURN(Examination examination, examiner_.Examine(owner, spec, QueuedWork()));
  return std::move(examination.report);
}

absl::StatusOr<v1::Job> JobManager::Submit(const std::string& owner, const v1::SubmitJobRequest& request) {
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  const std::string digest = DigestOf(request.spec());
  std::lock_guard submitting(submitting_);
  ASSIGN_OR_RETURN(const std::optional<Store::RequestRecord> earlier, store_.FindRequest(owner, request.request_id()));
  if (earlier && earlier->body_digest == digest) return Get(owner, earlier->resource_id);
  if (earlier) {
    return MakeError(
        {.reason = v1::REQUEST_ID_REUSED, .field = "request_id", .remedy = "Choose a new id for each request."},
        fmt::format("request id \"{}\" was used for another request before", request.request_id()));
  }
  ASSIGN_OR_RETURN(Examination examination, examiner_.Examine(owner, request.spec(), QueuedWork()));
  RETURN_IF_ERROR(FirstRefusal(examination.report));
  const Usage need{.bytes = static_cast<int64_t>(examination.report.result_bytes()), .unfinished_jobs = 1};
  ASSIGN_OR_RETURN(const Quotas::Hold hold, volumes_.quotas().Take(owner, need));
  return Accept(owner, request, digest, std::move(examination));
}

absl::StatusOr<v1::Job> JobManager::Accept(const std::string& owner, const v1::SubmitJobRequest& request,
                                           const std::string& digest, Examination examination) {
  const absl::Time now = clock_.Wall();
  JobRecord record{.id = ids_.Next(), .owner = owner, .state = v1::PENDING, .job = {}, .create_time = now, .plan = {}};
  *record.job.mutable_spec() = examination.spec;
  *record.job.mutable_models() = examination.models;
  if (examination.spec.has_train_model()) record.job.mutable_training()->set_memory_bytes(examination.training_bytes);
  std::map<std::string, v1::VolumeSpec> volumes = examination.inputs;
  std::vector<VolumeRecord> results;
  for (const PlannedOutput& output : examination.outputs) {
    VolumeRecord& result = results.emplace_back();
    result.id = ids_.Next();
    result.owner = owner;
    result.spec = output.spec;
    result.create_time = now;
    volumes[result.id] = output.spec;
    v1::JobOutput& shown = *record.job.add_outputs();
    shown.set_role(output.role);
    shown.set_volume(VolumeName(result.id));
  }
  std::vector<TaskRecord> tasks = FirstTasks(record.id, examination);
  record.job.mutable_progress()->set_tasks_total(static_cast<uint32_t>(ExpectedTasks(examination, tasks.size())));

  // In memory the job begins without tasks; its first step brings them.
  auto job = std::make_shared<LiveJob>(record, std::move(volumes), std::vector<TaskRecord>(), std::nullopt, now,
                                       clock_.Steady());
  job->estimated_work = examination.work;
  std::lock_guard turn(job->turn);
  {
    // Before it is stored, so that who finds it in the store and cancels or watches it finds it here, too.
    std::lock_guard lock(mutex_);
    live_[job->id()] = job;
  }
  const auto give_up = [&](const absl::Status& error) {
    ForgetInput(*job);
    std::lock_guard lock(mutex_);
    live_.erase(job->id());
    return error;
  };
  if (IsGrowing(job->spec())) {
    if (const absl::Status followed = FollowInput(*job); !followed.ok()) return give_up(followed);
  }
  JobStep step(*job, now);
  step.change.new_tasks = std::move(tasks);
  step.change.new_volumes = std::move(results);
  step.AnnounceState();
  for (const v1::Finding& finding : examination.report.findings()) step.AddFinding(finding);
  if (const absl::Status inserted = Insert(step.change, request, digest); !inserted.ok()) return give_up(inserted);
  Publish(*job, step);
  if (IsGrowing(job->spec())) TakeFirstInput(*job);
  std::lock_guard lock(mutex_);
  return Show(*job);
}

// Reserves the files of the results and inserts the job; nothing stays of it when that fails.
absl::Status JobManager::Insert(const JobChange& first, const v1::SubmitJobRequest& request,
                                const std::string& digest) {
  absl::Status status;
  size_t reserved = 0;
  for (const VolumeRecord& result : first.new_volumes) {
    status = volumes_.Reserve(result.id, result.spec);
    if (!status.ok()) break;
    ++reserved;
  }
  const bool all_reserved = status.ok();
  if (all_reserved) {
    CrashPoint("job-before-insert");
    status = store_.InsertJob(first, request.request_id(), digest);
    CrashPoint("job-after-insert");
  }
  if (status.ok()) return status;
  // After a failure of the disk the record may be there after all at the next start, which removes the files otherwise.
  if (all_reserved && ReasonOf(status) == v1::STORAGE_FAILURE) return AddContext(status, "submitting the job");
  for (size_t i = 0; i < reserved; ++i) volumes_.Discard(first.new_volumes[i].id);
  return AddContext(status, "submitting the job");
}

double JobManager::QueuedWork() {
  double work = 0;
  std::lock_guard lock(mutex_);
  for (const auto& [id, job] : live_) work += job->estimated_work * (1 - job->Progress().fraction());
  return work;
}

}  // namespace deconvoy::server
