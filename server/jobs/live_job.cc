#include "server/jobs/live_job.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/resource_name.h"
#include "proto/contract/timestamp.h"
#include "server/jobs/job_state.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

// Share of a deconvolution's time that its analysis takes, for progress.
constexpr double kAnalysisShare = 0.02;
// The same of an import that looks at its file.
constexpr double kLookShare = 0.4;

LiveTask Compact(const TaskRecord& task) {
  return {.kind = task.kind,
          .state = task.state,
          .t = static_cast<int32_t>(task.t),
          .c = static_cast<int32_t>(task.c),
          .tile = static_cast<int32_t>(task.tile),
          .failures = task.failures,
          .losses = task.losses,
          .token = task.token};
}

using Volumes = std::map<std::string, v1::VolumeSpec>;

// Null where the spec names no volume.
const v1::VolumeSpec* Named(const Volumes& volumes, const std::string& name) {
  const absl::StatusOr<std::string> id = VolumeId(name, "volume");
  return id.ok() ? &volumes.at(*id) : nullptr;
}

const v1::VolumeSpec* LargestStack(const v1::DistillSpec& spec, const Volumes& volumes) {
  const v1::VolumeSpec* largest = Named(volumes, spec.input_volume());
  for (const std::string& name : spec.more_volumes()) {
    const v1::VolumeSpec* more = Named(volumes, name);
    if (FrameOf(*more).voxels() > FrameOf(*largest).voxels()) largest = more;
  }
  return largest;
}

// That which takes most memory.
const v1::VolumeSpec* InputOf(const v1::JobSpec& spec, const Volumes& volumes) {
  if (spec.has_project()) return Named(volumes, spec.project().input_volume());
  if (spec.has_export_file()) return Named(volumes, spec.export_file().volume());
  return spec.has_distill() ? LargestStack(spec.distill(), volumes) : Named(volumes, spec.deconvolve().input_volume());
}

const v1::VolumeSpec* PsfOf(const v1::JobSpec& spec, const Volumes& volumes) {
  if (spec.has_check_psf()) return Named(volumes, spec.check_psf().psf_volume());
  if (spec.has_prepare_psf()) return Named(volumes, spec.prepare_psf().psf_volume());
  if (spec.has_train_model()) return Named(volumes, spec.train_model().psf_volume());
  return Named(volumes, spec.has_simulate() ? spec.simulate().psf_volume() : spec.deconvolve().psf_volume());
}

// Channels of a deconvolution's result.
int64_t ChannelsOf(const v1::Job& job, const Volumes& volumes) {
  if (!job.spec().has_deconvolve() || job.outputs().empty()) return 1;
  const v1::VolumeSpec* result = Named(volumes, job.outputs(0).volume());
  return result == nullptr ? 1 : result->shape().c();
}

}  // namespace

LiveJob::LiveJob(JobRecord record, std::map<std::string, v1::VolumeSpec> volumes, const std::vector<TaskRecord>& tasks,
                 std::optional<JobPlan> plan, absl::Time wall, SteadyTime steady)
    : record_(std::move(record)),
      volumes_(std::move(volumes)),
      channels_(ChannelsOf(record_.job, volumes_)),
      whole_task_bytes_(WholeTaskBytes(spec(), InputOf(spec(), volumes_), PsfOf(spec(), volumes_))),
      plan_(std::move(plan)) {
  record_.plan.clear();
  for (const TaskRecord& task : tasks) Take(task, wall, steady);
}

bool LiveJob::Holds(int64_t number, uint64_t token) const {
  return has_task(number) && task(number).state == TaskState::kLeased && task(number).token == token;
}

TaskRecord LiveJob::RecordOf(int64_t number) const {
  const LiveTask& live = task(number);
  TaskRecord record{.job_id = id(),
                    .number = number,
                    .kind = live.kind,
                    .state = live.state,
                    .t = live.t,
                    .c = live.c,
                    .tile = live.tile,
                    .token = live.token,
                    .worker = {},
                    .failures = live.failures,
                    .losses = live.losses,
                    .not_before = {}};
  const auto holder = holders_.find(number);
  record.worker = holder != holders_.end() ? holder->second : FailedBy(number);
  return record;
}

const std::string& LiveJob::FailedBy(int64_t number) const {
  static const std::string kNobody;
  const auto found = failed_by_.find(number);
  return found != failed_by_.end() ? found->second : kNobody;
}

int64_t LiveJob::OpenTiles(int64_t t, int64_t c) const {
  const auto frame = static_cast<size_t>(t * channels_ + c);
  return frame < open_tiles_.size() ? open_tiles_[frame] : 0;
}

int64_t LiveJob::memory_bytes() const {
  const auto training = static_cast<int64_t>(record_.job.training().memory_bytes());
  return plan_ ? plan_->tiles.memory_bytes : std::max(whole_task_bytes_, training);
}

void LiveJob::Accept(const JobChange& change, std::optional<JobPlan> plan, absl::Time wall, SteadyTime steady) {
  const uint64_t last_sequence = record_.job.last_sequence() + change.events.size();
  record_ = change.job;
  record_.plan.clear();
  record_.job.set_last_sequence(last_sequence);
  if (plan) plan_ = std::move(plan);
  for (const VolumeRecord& volume : change.new_volumes) volumes_[volume.id] = volume.spec;
  for (const TaskRecord& task : change.new_tasks) Take(task, wall, steady);
  for (const TaskRecord& task : change.changed_tasks) Take(task, wall, steady);
  ++version_;
}

// Adds a task or changes one, and keeps every count and index in step with it.
void LiveJob::Take(const TaskRecord& task, absl::Time wall, SteadyTime steady) {
  const bool is_new = task.number >= task_count();
  if (is_new) {
    tasks_.push_back(Compact(task));
    available_.push_back(false);
    if (task.kind != TaskKind::kTile) ++first_tile_;
  }
  LiveTask& live = tasks_[static_cast<size_t>(task.number)];
  const bool was_open = !is_new && !IsEnd(live.state);
  const bool was_ready = !is_new && live.state == TaskState::kReady;
  const bool was_blocked = !is_new && live.state == TaskState::kBlocked;
  const bool is_open = !IsEnd(task.state);
  live = Compact(task);

  const int change = static_cast<int>(is_open) - static_cast<int>(was_open);
  open_tasks_ += change;
  if (task.state == TaskState::kDone && (is_new || was_open)) {
    ++done_tasks_;
    if (task.kind == TaskKind::kTile) done_tiles_.push_back(task.number);
    room_waits_ = 0;
    room_due_.reset();
    lack_of_room_.clear();
  }
  if (task.state == TaskState::kLeased) lack_of_room_.clear();
  if (task.kind == TaskKind::kTile && change != 0) {
    const auto frame = static_cast<size_t>(task.t * channels_ + task.c);
    if (open_tiles_.size() <= frame) open_tiles_.resize(frame + 1);
    open_tiles_[frame] += change;
  }
  ready_tasks_ += static_cast<int>(task.state == TaskState::kReady) - static_cast<int>(was_ready);
  blocked_tasks_ += static_cast<int>(task.state == TaskState::kBlocked) - static_cast<int>(was_blocked);
  TakeWorker(task);
  Place(task.number, task, wall, steady);
}

void LiveJob::TakeWorker(const TaskRecord& task) {
  const auto set = [&task](std::map<int64_t, std::string>& workers) {
    if (task.worker.empty()) {
      workers.erase(task.number);
    } else {
      workers[task.number] = task.worker;
    }
  };
  holders_.erase(task.number);
  if (task.state == TaskState::kLeased) {
    set(holders_);
  } else if (IsEnd(task.state)) {
    failed_by_.erase(task.number);
  } else {
    set(failed_by_);
  }
}

void LiveJob::SetAvailable(int64_t number, bool available) {
  const auto bit = static_cast<size_t>(number);
  available_tasks_ += static_cast<int>(available) - static_cast<int>(available_.test(bit));
  available_.set(bit, available);
}

void LiveJob::Place(int64_t number, const TaskRecord& task, absl::Time wall, SteadyTime steady) {
  SetAvailable(number, false);
  if (task.state == TaskState::kLeased) {
    running_[number];
  } else {
    running_.erase(number);
  }
  if (task.state != TaskState::kReady) return;
  if (task.not_before <= wall) {
    SetAvailable(number, true);
  } else {
    backing_off_.emplace(steady + absl::ToChronoNanoseconds(task.not_before - wall), number);
  }
}

bool LiveJob::HasAvailable(SteadyTime now) {
  while (!backing_off_.empty() && backing_off_.begin()->first <= now) {
    const int64_t number = backing_off_.begin()->second;
    if (task(number).state == TaskState::kReady) SetAvailable(number, true);
    backing_off_.erase(backing_off_.begin());
  }
  if (room_due_ && *room_due_ <= now) room_due_.reset();
  return !room_due_ && available_tasks_ > 0;
}

void LiveJob::WaitForRoom(std::string lack, SteadyTime until) {
  lack_of_room_ = std::move(lack);
  room_due_ = until;
  ++room_waits_;
  ++version_;
}

std::optional<int64_t> LiveJob::FirstAvailable(const std::string& spared) const {
  for (size_t bit = available_.find_first(); bit != available_.npos; bit = available_.find_next(bit)) {
    const auto number = static_cast<int64_t>(bit);
    if (spared.empty() || FailedBy(number) != spared) return number;
  }
  return std::nullopt;
}

std::optional<LiveJob::SteadyTime> LiveJob::NextDue() const {
  if (backing_off_.empty()) return room_due_;
  return std::min(backing_off_.begin()->first, room_due_.value_or(SteadyTime::max()));
}

void LiveJob::Report(int64_t number, const v1::TaskStatus& status) {
  running_[number] = {.iteration = status.iteration(),
                      .iterations_total = status.iterations_total(),
                      .objective = status.has_objective() ? std::optional(status.objective()) : std::nullopt};
  last_reported_ = number;
  ++version_;
}

v1::Job LiveJob::Show() const {
  v1::Job job = record_.job;
  job.set_name(JobName(record_.id));
  job.set_state(record_.state);
  *job.mutable_create_time() = ToTimestamp(record_.create_time);
  *job.mutable_progress() = Progress();
  return job;
}

v1::JobProgress LiveJob::Progress() const {
  v1::JobProgress progress = record_.job.progress();
  progress.set_tasks_done(static_cast<uint32_t>(done_tasks_));
  progress.set_fraction(Fraction());
  progress.set_activity(Activity());
  progress.set_tasks_blocked(static_cast<uint32_t>(blocked_tasks_));
  const auto reported = running_.find(last_reported_);
  if (reported != running_.end()) {
    progress.set_iteration(reported->second.iteration);
    progress.set_iterations_total(reported->second.iterations_total);
    if (reported->second.objective) *progress.mutable_objective() = *reported->second.objective;
  }
  return progress;
}

double LiveJob::Fraction() const {
  if (open_tasks_ == 0) return tasks_.empty() ? 0 : 1;
  double done = static_cast<double>(done_tasks_);
  double total = static_cast<double>(task_count());
  for (const auto& [number, running] : running_) {
    if (running.iterations_total > 0) done += std::min(1.0, 1.0 * running.iteration / running.iterations_total);
  }
  if (spec().has_train_model()) total = std::max<double>(total, record_.job.progress().tasks_total());
  if (!spec().has_deconvolve() && !spec().has_import_file()) return done / total;
  const double first = spec().has_deconvolve() ? kAnalysisShare : kLookShare;
  if (!plan_) return first * std::min(done, 1.0);
  total = std::max<double>(total, record_.job.progress().tasks_total());  // tiles come after the calibrations
  return first + (1 - first) * (done - 1) / (total - 1);
}

int64_t LiveJob::FirstCalibration() const {
  int64_t first = 1;  // after the analysis
  while (first < task_count() && task(first).kind == TaskKind::kEstimatePsf) ++first;
  return first;
}

// What a job waits for of which no task runs.
std::string LiveJob::Waiting() const {
  if (input() == nullptr || ready_tasks_ > 0) return "waiting";
  if (open_tasks_ == 0) return "waiting for the image to be finished";
  return fmt::format("waiting for the image: {} of {} planes are there", input_->planes(), input_->all_planes());
}

std::string LiveJob::Activity() const {
  if (running_.empty()) return IsEnd(record_.state) ? "ended" : record_.state == v1::PAUSED ? "paused" : Waiting();
  const int64_t number = running_.contains(last_reported_) ? last_reported_ : running_.begin()->first;
  switch (task(number).kind) {
    case TaskKind::kAnalyse:
      return "analyse";
    case TaskKind::kTile:
      return fmt::format("tile {} of {}", number - first_tile_ + 1, task_count() - first_tile_);
    case TaskKind::kSimulate:
      return "simulate";
    case TaskKind::kModelPsf:
      return "model the PSF";
    case TaskKind::kDistill:
      return "distil the PSF";
    case TaskKind::kCheckPsf:
      return "check the PSF";
    case TaskKind::kPreparePsf:
      return "prepare the PSF";
    case TaskKind::kTrain:
      return fmt::format("train, part {} of {}", task(number).t + 1, spec().train_model().parts());
    case TaskKind::kFinishTraining:
      return "finish the training";
    case TaskKind::kCheckModel:
      return "check the model";
    case TaskKind::kEstimatePsf:
      return channels_ == 1 ? "estimate the PSF" : fmt::format("estimate the PSF of channel {}", task(number).c);
    case TaskKind::kCalibrate:
      return fmt::format("calibrate on sample {} of {}", number - FirstCalibration() + 1,
                         first_tile_ - FirstCalibration());
    case TaskKind::kLookAtFile:
      return "look at the file";
    case TaskKind::kReadFile:
      return fmt::format("read part {} of {}", number, task_count() - 1);
    case TaskKind::kWriteFile:
      return "write the file";
    case TaskKind::kProject:
      return fmt::format("frame {} of {}", number + 1, task_count());
  }
  return "";
}

}  // namespace deconvoy::server
