#include "server/jobs/job_manager.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/file_job.h"
#include "server/jobs/job_state.h"
#include "server/jobs/job_step.h"
#include "server/jobs/live_job.h"
#include "server/jobs/model_check.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

absl::Status JobHasEnded(const std::string& job_id, v1::JobState state) {
  return MakeError({.reason = v1::JOB_ENDED, .field = "job", .remedy = "Submit it again to compute it anew."},
                   fmt::format("{} has ended: it is {}", JobName(job_id), v1::JobState_Name(state)));
}

void LogEvents(const std::string& job_id, const JobChange& change) {
  for (const v1::JobEvent& event : change.events) {
    if (event.event_case() == v1::JobEvent::kState) {
      spdlog::info("{} is {}", JobName(job_id), v1::JobState_Name(event.state()));
    } else if (event.has_retry()) {
      spdlog::warn("{} returned to the queue, attempt {}: {}", event.retry().task(), event.retry().attempt(),
                   Printable(event.retry().error().message()));
    } else if (event.has_ended() && event.ended().state() == v1::FAILED) {
      spdlog::warn("{} failed: {}", JobName(job_id), Printable(event.ended().error().message()));
    }
  }
}

bool MakesReady(const JobChange& change) {
  const auto ready = [](const TaskRecord& task) { return task.state == TaskState::kReady; };
  return std::any_of(change.new_tasks.begin(), change.new_tasks.end(), ready) ||
         std::any_of(change.changed_tasks.begin(), change.changed_tasks.end(), ready);
}

v1::JobClass ClassOf(const v1::JobSpec& spec) {
  return spec.job_class() == v1::JOB_CLASS_UNSPECIFIED ? v1::NORMAL : spec.job_class();
}

// As estimated from a plan alone, when the method's own cost is not known yet; 0 before there is a plan.
double WorkOf(const LiveJob& job) {
  if (!job.plan()) return 0;
  const double tiles = static_cast<double>(job.plan()->tiles.padded.voxels() * (job.task_count() - 1));
  return tiles * static_cast<double>(IterationsOf(job.spec().deconvolve()));
}

}  // namespace

JobManager::JobManager(const RetryRules& rules, Store& store, VolumeStore& volumes, Capabilities& capabilities,
                       Clock& clock, IdSource& ids, FileRoots roots)
    : rules_(rules),
      store_(store),
      volumes_(volumes),
      capabilities_(capabilities),
      clock_(clock),
      ids_(ids),
      roots_(std::move(roots)),
      examiner_(store, volumes, capabilities, roots_),
      watcher_(std::make_unique<InputWatcher>([this](const InputNews& news) { return TakeNews(news); },
                                              absl::ToChronoMilliseconds(rules.input_pause))) {
  volumes_.SetListener(watcher_.get());
}

JobManager::~JobManager() {
  volumes_.SetListener(nullptr);
}

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Open(const RetryRules& rules, Store& store,
                                                             VolumeStore& volumes, Capabilities& capabilities,
                                                             Clock& clock, IdSource& ids, FileRoots roots) {
  std::unique_ptr<JobManager> manager(
      new JobManager(rules, store, volumes, capabilities, clock, ids, std::move(roots)));
  RETURN_IF_ERROR(manager->Recover());
  return manager;
}

// --- Opening ---

absl::Status JobManager::Recover() {
  ASSIGN_OR_RETURN(std::vector<JobRecord> records, store_.UnfinishedJobs());
  for (JobRecord& record : records) {
    const std::string name = JobName(record.id);
    RETURN_IF_ERROR(AddContext(RecoverJob(std::move(record)), fmt::format("recovering {}", name)));
  }
  return absl::OkStatus();
}

// `missing` says which volume is not there any more; its place is taken by an empty description.
absl::StatusOr<std::map<std::string, v1::VolumeSpec>> JobManager::VolumesOf(const v1::Job& job, absl::Status& missing) {
  std::vector<std::string> names = {job.spec().deconvolve().input_volume(), job.spec().deconvolve().psf_volume(),
                                    job.spec().deconvolve().mask_volume(),  job.spec().deconvolve().flat_field_volume(),
                                    job.spec().simulate().psf_volume(),     job.spec().project().input_volume(),
                                    job.spec().distill().input_volume(),    job.spec().check_psf().psf_volume(),
                                    job.spec().prepare_psf().psf_volume(),  job.spec().export_file().volume()};
  for (const std::string& name : job.spec().distill().more_volumes()) names.push_back(name);
  names.push_back(job.spec().train_model().psf_volume());
  names.push_back(job.spec().check_model().model_volume());
  for (const std::string& name : job.spec().train_model().input_volumes()) names.push_back(name);
  for (const std::string& name : job.spec().train_model().truth_volumes()) names.push_back(name);
  for (const v1::ModelUse& model : job.models()) names.push_back(model.volume());
  for (const v1::JobOutput& output : job.outputs()) names.push_back(output.volume());
  std::map<std::string, v1::VolumeSpec> specs;
  for (const std::string& name : names) {
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(const std::string id, VolumeId(name, "job.volumes"));
    const absl::StatusOr<VolumeRecord> record = store_.GetVolume(id);
    if (!record.ok() && ReasonOf(record.status()) != v1::NOT_FOUND) return record.status();
    if (!record.ok()) missing = record.status();
    specs[id] = record.ok() ? record->spec : v1::VolumeSpec();
  }
  return specs;
}

absl::Status JobManager::RecoverJob(JobRecord record) {
  absl::Status broken;
  ASSIGN_OR_RETURN(auto volumes, VolumesOf(record.job, broken));
  ASSIGN_OR_RETURN(std::vector<TaskRecord> tasks, store_.GetTasks(record.id));
  // The clock may have been set back since.
  const absl::Time latest = clock_.Wall() + rules_.longest_backoff;
  for (TaskRecord& task : tasks) task.not_before = std::min(task.not_before, latest);
  std::optional<JobPlan> plan;
  if (!record.plan.empty()) {
    absl::StatusOr<JobPlan> decoded = DecodePlan(record.plan);
    if (decoded.ok()) plan = *std::move(decoded);
    if (!decoded.ok()) broken = decoded.status();
  }
  auto job = std::make_shared<LiveJob>(std::move(record), std::move(volumes), tasks, std::move(plan), clock_.Wall(),
                                       clock_.Steady());
  job->estimated_work = WorkOf(*job);
  {
    std::lock_guard lock(mutex_);
    live_[job->id()] = job;
  }
  std::lock_guard turn(job->turn);
  if (broken.ok() && IsGrowing(job->spec())) RETURN_IF_ERROR(FollowInput(*job));
  JobStep step(*job, clock_.Wall());
  const TaskFailure lost{.error = MakeError({.reason = v1::SHUTTING_DOWN}, "the server was restarted"),
                         .lost_lease = true};
  if (!broken.ok()) RETURN_IF_ERROR(step.FailJob(broken, ""));
  for (const TaskRecord& task : tasks) {
    if (task.state != TaskState::kLeased || IsEnd(step.change.job.state)) continue;
    RETURN_IF_ERROR(TakeFailure(step, task.number, lost, rules_));
  }
  if (!step.change.events.empty()) RETURN_IF_ERROR(Finish(*job, std::move(step)));
  if (!IsGrowing(job->spec()) || IsEnd(job->record().state)) return absl::OkStatus();
  return TakeInputOf(*job, AllFrames(*job));
}

// --- Finding ---

std::shared_ptr<LiveJob> JobManager::FindLive(const std::string& job_id) {
  std::lock_guard lock(mutex_);
  const auto found = live_.find(job_id);
  return found == live_.end() ? nullptr : found->second;
}

absl::Status JobManager::JobNotFound(const std::string& job_id) {
  return MakeError({.reason = v1::NOT_FOUND,
                    .field = "job",
                    .remedy = "List the jobs to see which there are; `deconvoy jobs --all` shows ended ones, too."},
                   fmt::format("there is no job \"{}\"", JobName(job_id)));
}

absl::StatusOr<JobRecord> JobManager::FindStored(const std::string& owner, const std::string& job_id) {
  absl::StatusOr<JobRecord> record = store_.GetJob(job_id);
  if (!record.ok() && ReasonOf(record.status()) != v1::NOT_FOUND) return record.status();
  if (!record.ok() || record->owner != owner) return JobNotFound(job_id);
  return record;
}

// --- Showing ---

v1::JobProgress JobManager::ProgressOf(const LiveJob& job) const {
  v1::JobProgress progress = job.Progress();
  if (job.leased_tasks() > 0 || job.record().state == v1::PAUSED || IsEnd(job.record().state)) return progress;
  const std::string lacking =
      capabilities_.Lacking(job.spec().deconvolve().backend(), NeededMethod(job.spec(), job.record().job.models()),
                            job.memory_bytes(), IsFileJob(job.spec()));
  if (!lacking.empty()) {
    progress.set_activity("waiting for " + lacking);
  } else if (!job.lack_of_room().empty()) {
    progress.set_activity("waiting for " + job.lack_of_room());
  }
  return progress;
}

v1::Job JobManager::Show(const LiveJob& job) const {
  v1::Job shown = job.Show();
  *shown.mutable_progress() = ProgressOf(job);
  return shown;
}

// --- Steps ---

absl::Status JobManager::Finish(LiveJob& job, JobStep step) {
  CrashPoint("step-before-apply");
  RETURN_IF_ERROR(store_.Apply(step.change));
  CrashPoint("step-after-apply");
  Publish(job, step);
  return absl::OkStatus();
}

void JobManager::Publish(LiveJob& job, const JobStep& step) {
  {
    std::lock_guard lock(mutex_);
    job.Accept(step.change, step.plan, clock_.Wall(), clock_.Steady());
    if (IsEnd(step.change.job.state)) live_.erase(job.id());
  }
  if (IsEnd(step.change.job.state)) ForgetInput(job);
  changed_.notify_all();
  LogEvents(job.id(), step.change);
  for (const JobChange::Commit& commit : step.change.committed) volumes_.Announce(commit.volume_id, commit.boxes);
  for (const std::string& volume : step.change.deleted_volumes) volumes_.Discard(volume);
  if (MakesReady(step.change)) TellReady();
}

// --- For users ---

absl::StatusOr<v1::Job> JobManager::Get(const std::string& owner, const std::string& job_id) {
  {
    std::lock_guard lock(mutex_);
    const auto found = live_.find(job_id);
    if (found != live_.end() && found->second->record().owner == owner) return Show(*found->second);
  }
  ASSIGN_OR_RETURN(JobRecord record, FindStored(owner, job_id));
  return std::move(record.job);
}

absl::StatusOr<v1::ListJobsResponse> JobManager::List(const std::string& owner, const v1::ListJobsRequest& request) {
  ASSIGN_OR_RETURN(Page<JobRecord> page, store_.ListJobs(owner, static_cast<int>(request.page_size()),
                                                         request.page_token(), request.unfinished_only()));
  v1::ListJobsResponse response;
  response.set_next_page_token(page.next_token);
  std::lock_guard lock(mutex_);
  for (JobRecord& record : page.items) {
    const auto live = live_.find(record.id);
    v1::Job& job = *response.add_jobs();
    job = live == live_.end() ? std::move(record.job) : Show(*live->second);
    job.clear_frames();
    job.clear_channels();
    job.clear_worker_log();
    job.clear_objective();
    job.clear_psf_estimates();
    job.clear_findings();
    job.clear_psfs();
    job.clear_calibrations();
  }
  return response;
}

absl::StatusOr<v1::Job> JobManager::Cancel(const std::string& owner, const std::string& job_id) {
  const std::shared_ptr<LiveJob> job = FindLive(job_id);
  if (job == nullptr) return Get(owner, job_id);
  const std::lock_guard turn(job->turn);
  if (job->record().owner != owner) return JobNotFound(job_id);
  if (!IsEnd(job->record().state)) {
    JobStep step(*job, clock_.Wall());
    RETURN_IF_ERROR(step.Cancel());
    RETURN_IF_ERROR(Finish(*job, std::move(step)));
  }
  // Not what is stored: whoever saw the end first may have deleted that already.
  const std::lock_guard lock(mutex_);
  return Show(*job);
}

absl::StatusOr<v1::Job> JobManager::Pause(const std::string& owner, const std::string& job_id) {
  return SetPaused(owner, job_id, true);
}

absl::StatusOr<v1::Job> JobManager::Resume(const std::string& owner, const std::string& job_id) {
  return SetPaused(owner, job_id, false);
}

absl::StatusOr<v1::Job> JobManager::SetPaused(const std::string& owner, const std::string& job_id, bool paused) {
  const std::shared_ptr<LiveJob> job = FindLive(job_id);
  if (job == nullptr) {
    ASSIGN_OR_RETURN(const JobRecord ended, FindStored(owner, job_id));
    return JobHasEnded(job_id, ended.state);
  }
  const std::lock_guard turn(job->turn);
  if (job->record().owner != owner) return JobNotFound(job_id);
  const v1::JobState state = job->record().state;
  if (IsEnd(state)) return JobHasEnded(job_id, state);
  if ((state == v1::PAUSED) != paused) {
    JobStep step(*job, clock_.Wall());
    const v1::JobState before = job->record().job.has_start_time() ? v1::RUNNING : v1::PENDING;
    RETURN_IF_ERROR(step.MoveJob(paused ? v1::PAUSED : before));
    RETURN_IF_ERROR(Finish(*job, std::move(step)));
    if (!paused) TellReady();
  }
  const std::lock_guard lock(mutex_);
  return Show(*job);
}

absl::Status JobManager::Delete(const std::string& owner, const std::string& job_id) {
  ASSIGN_OR_RETURN(const JobRecord record, FindStored(owner, job_id));
  if (!IsEnd(record.state)) {
    return MakeError({.reason = v1::JOB_NOT_ENDED, .field = "job", .remedy = "Cancel it first, or wait for its end."},
                     fmt::format("{} is {}", JobName(job_id), v1::JobState_Name(record.state)));
  }
  return store_.DeleteJob(job_id);
}

absl::StatusOr<v1::Preview> JobManager::GetPreview(const std::string& owner, const std::string& job_id, uint32_t c) {
  RETURN_IF_ERROR(FindStored(owner, job_id).status());
  return store_.GetPreview(job_id, c);
}

// --- For the dispatcher ---

void JobManager::SetReadyListener(std::function<void()> listener) {
  std::lock_guard lock(listening_);
  ready_listener_ = std::move(listener);
}

void JobManager::TellReady() {
  std::lock_guard lock(listening_);
  if (ready_listener_) ready_listener_();
}

std::vector<WaitingJob> JobManager::Waiting() {
  std::vector<WaitingJob> waiting;
  const LiveJob::SteadyTime now = clock_.Steady();
  std::lock_guard lock(mutex_);
  for (const auto& [id, job] : live_) {
    if (job->record().state == v1::PAUSED || !job->HasAvailable(now)) continue;
    const v1::DeconvolveSpec& spec = job->spec().deconvolve();
    waiting.push_back({.id = id,
                       .owner = job->record().owner,
                       .create_time = job->record().create_time,
                       .method = NeededMethod(job->spec(), job->record().job.models()),
                       .backend = spec.backend(),
                       .memory_bytes = job->memory_bytes(),
                       .tasks = job->available_tasks(),
                       .job_class = ClassOf(job->spec()),
                       .same_host = IsFileJob(job->spec())});
  }
  return waiting;
}

std::optional<std::chrono::steady_clock::time_point> JobManager::NextDue() {
  std::optional<LiveJob::SteadyTime> next;
  std::lock_guard lock(mutex_);
  for (const auto& [id, job] : live_) {
    if (job->record().state == v1::PAUSED) continue;
    const std::optional<LiveJob::SteadyTime> due = job->NextDue();
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

JobManager::Counts JobManager::CountTasks() {
  Counts counts;
  std::lock_guard lock(mutex_);
  for (const auto& [id, job] : live_) {
    counts.ready += job->ready_tasks();
    counts.leased += job->leased_tasks();
  }
  return counts;
}

}  // namespace deconvoy::server
