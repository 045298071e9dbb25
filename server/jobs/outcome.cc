#include "server/jobs/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/parameters.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/analysis_check.h"
#include "server/jobs/calibration.h"
#include "server/jobs/capabilities.h"
#include "server/jobs/file_job.h"
#include "server/jobs/job_state.h"
#include "server/jobs/job_step.h"
#include "server/jobs/model_check.h"
#include "server/jobs/preview.h"
#include "server/jobs/psf_estimation.h"
#include "server/jobs/quality_check.h"
#include "server/jobs/result_check.h"
#include "server/jobs/task_builder.h"
#include "server/jobs/tile_planning.h"
#include "server/jobs/tile_statistics.h"
#include "server/jobs/training_outcome.h"
#include "server/jobs/trust_check.h"

namespace deconvoy::server {
namespace {

// Frames whose statistics are shown with the job; the plan holds all of them.
constexpr int64_t kShownFrames = 1000;

absl::Status WrongResult(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result"}, what);
}

const v1::VolumeSpec& VolumeNamed(const LiveJob& job, const std::string& name) {
  return job.volume(VolumeId(name, "volume").value());
}

// --- Analysis ---

absl::Status CheckAnalysisOf(const LiveJob& job, const v1::AnalyseResult& analysis) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  return CheckAnalysis(spec, VolumeNamed(job, spec.input_volume()), VolumeNamed(job, spec.psf_volume()),
                       ResultOf(job).voxel_size(), analysis);
}

// The smallest box that holds the PSF of every channel, so that all frames are cut alike.
Shape3 Support(const v1::AnalyseResult& analysis) {
  Shape3 support{1, 1, 1};
  for (const v1::PsfReport& report : analysis.psfs()) {
    const Shape3 shape = ToShape3(report.crop_shape());
    support = {std::max(support.z, shape.z), std::max(support.y, shape.y), std::max(support.x, shape.x)};
  }
  return support;
}

// The halo that the widest PSF needs along each axis. Planes between those of the image must not be alone in a tile.
Shape3 Halo(const v1::AnalyseResult& analysis, int64_t upsample) {
  Shape3 halo{upsample > 1 ? upsample : 0, 0, 0};
  for (const v1::PsfReport& report : analysis.psfs()) {
    const Shape3 shape = ToShape3(report.crop_shape());
    halo = {std::max(halo.z, HaloExtent(shape.z, report.spread_z())),
            std::max(halo.y, HaloExtent(shape.y, report.spread_y())),
            std::max(halo.x, HaloExtent(shape.x, report.spread_x()))};
  }
  return halo;
}

// Frames whose tiles need not wait for those of another frame.
int64_t FramesAtOnce(const v1::JobSpec& spec, const v1::VolumeSpec& result) {
  return int64_t{result.shape().c()} * (StartsFromPrevious(spec) ? 1 : result.shape().t());
}

bool HasBadPixels(const v1::AnalyseResult& analysis) {
  return std::any_of(analysis.channels().begin(), analysis.channels().end(),
                     [](const v1::ChannelFacts& channel) { return !channel.bad_pixels().empty(); });
}

absl::StatusOr<JobPlan> MakePlan(const LiveJob& job, const v1::AnalyseResult& analysis,
                                 const Capabilities& capabilities) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  ASSIGN_OR_RETURN(const v1::Method method, capabilities.FindMethod(spec.method(), "deconvolve.method"));
  const v1::VolumeSpec& input = VolumeNamed(job, spec.input_volume());
  const v1::VolumeSpec& psf = VolumeNamed(job, spec.psf_volume());
  const PsfSteps steps = StepsOf(ResultOf(job).voxel_size(), psf.voxel_size());
  const ModelUses& models = job.record().job.models();
  ASSIGN_OR_RETURN(TilePlan tiles,
                   PlanJobTiles(spec, method,
                                {.frame = FrameOf(OnResultGrid(spec, input)),
                                 .region = ResultBox(spec, input),
                                 .given_psf = PsfRoom(FrameOf(psf), steps),
                                 .psf = Support(analysis),
                                 .halo = Halo(analysis, AxialUpsample(spec)),
                                 .machine = capabilities.Machine(spec.backend(), NeededMethod(spec, models)),
                                 .workers = capabilities.Machines(spec.backend(), NeededMethod(spec, models)),
                                 .frames = FramesAtOnce(job.spec(), ResultOf(job)),
                                 .psfs = PsfsOfTile(spec, method, input.shape().c()),
                                 .bad_pixels = HasBadPixels(analysis),
                                 .models = NeedsOf(models, capabilities.FindMethod(spec.classical_method(), "")),
                                 .growing = IsGrowing(job.spec())}));
  return JobPlan{.tiles = tiles, .analysis = analysis};
}

absl::Status TooManyTasks(int64_t tasks, const TilePlan& plan) {
  return MakeError(
      {.reason = v1::LIMIT_EXCEEDED,
       .field = "deconvolve.tile.core",
       .remedy = "Ask for larger tiles, use a worker with more memory, or cut the volume along time.",
       .metadata = {{"limit", fmt::to_string(limits::kTasksPerJob)}}},
      fmt::format("frames of {} tiles each make {} tasks, more than {}", plan.tiles(), tasks, limits::kTasksPerJob));
}

void AddTiles(JobStep& step, const TilePlan& plan) {
  const v1::Shape5& result = ResultOf(step.live()).shape();
  const bool chained = StartsFromPrevious(step.live().spec());
  int64_t number = step.live().task_count();
  for (int64_t t = 0; t < result.t(); ++t) {
    for (int64_t c = 0; c < result.c(); ++c) {
      for (int64_t tile = 0; tile < plan.tiles(); ++tile) {
        TaskRecord& task = step.change.new_tasks.emplace_back();
        task.job_id = step.live().id();
        task.number = number++;
        task.kind = TaskKind::kTile;
        const bool waits = (chained && t > 0) || !TileHasInput(step.live(), plan, t, c, tile);
        task.state = waits ? TaskState::kBlocked : TaskState::kReady;
        task.t = t;
        task.c = c;
        task.tile = tile;
      }
    }
  }
}

// The tasks that come next: PSFs are estimated, then parameters are found with them, then all is deconvolved. `plan`
// has all that the tasks before have found.
void AddNext(JobStep& step, const JobPlan& plan) {
  const LiveJob& live = step.live();
  std::vector<TaskRecord>& tasks = step.change.new_tasks;
  if (plan.psf_estimates.empty()) tasks = PsfEstimationTasks(live, plan.tiles, live.task_count());
  if (tasks.empty() && plan.calibrations.empty()) tasks = CalibrationTasks(live, plan.tiles, live.task_count());
  if (tasks.empty()) AddTiles(step, plan.tiles);
}

// All tasks of a job that has been analysed.
int64_t CountTasks(const LiveJob& live, const TilePlan& tiles) {
  const size_t before = PsfEstimationTasks(live, tiles, 0).size() + CalibrationTasks(live, tiles, 0).size();
  const v1::Shape5& result = ResultOf(live).shape();
  return live.task_count() + static_cast<int64_t>(before) + tiles.tiles() * result.t() * result.c();
}

void KeepPlan(JobStep& step, JobPlan plan) {
  step.change.job.plan = EncodePlan(plan);
  step.plan = std::move(plan);
}

absl::Status TakeAnalysis(JobStep& step, const v1::AnalyseResult& analysis, const Capabilities& capabilities) {
  v1::Job& job = step.job();
  *job.mutable_psfs() = analysis.psfs();
  *job.mutable_channels() = analysis.channels();
  const v1::Shape5& input = VolumeNamed(step.live(), job.spec().deconvolve().input_volume()).shape();
  const int64_t frames = int64_t{input.t()} * input.c();
  for (int64_t i = 0; i < std::min(frames, kShownFrames); ++i) {
    *job.add_frames() = StatisticsOf(analysis, input.c(), i / input.c(), i % input.c());
  }
  for (const v1::Finding& finding : analysis.findings()) step.AddFinding(finding);
  absl::StatusOr<JobPlan> plan = MakePlan(step.live(), analysis, capabilities);
  if (!plan.ok()) return step.FailJob(plan.status(), "");
  const int64_t tasks = CountTasks(step.live(), plan->tiles);
  // Preflight counts the tiles of another plan: it does not know the PSF's support and spread.
  if (tasks > limits::kTasksPerJob) return step.FailJob(TooManyTasks(tasks, plan->tiles), "");
  job.mutable_progress()->set_tasks_total(static_cast<uint32_t>(tasks));
  AddNext(step, *plan);
  KeepPlan(step, *std::move(plan));
  return absl::OkStatus();
}

// --- Estimated PSFs ---

void TakePsfEstimate(JobStep& step, const v1::EstimatePsfResult& result) {
  JobPlan plan = *step.live().plan();
  plan.psf_estimates.push_back(result.estimate());
  for (const v1::Finding& finding : result.findings()) step.AddFinding(finding);
  if (step.live().open_tasks() == 1) {
    std::sort(plan.psf_estimates.begin(), plan.psf_estimates.end(),
              [](const auto& a, const auto& b) { return a.c() < b.c(); });
    for (const v1::PsfEstimate& estimate : plan.psf_estimates) *step.job().add_psf_estimates() = estimate;
    AddNext(step, plan);
  }
  KeepPlan(step, std::move(plan));
}

// --- Calibrations ---

// Where more iterations would have been tried, had there been no limit.
void NoteLimit(JobStep& step, const v1::Calibration& chosen) {
  if (chosen.parameter() != kIterations || chosen.candidates().empty()) return;
  const auto lowest = std::min_element(chosen.candidates().begin(), chosen.candidates().end(),
                                       [](const auto& a, const auto& b) { return a.score() < b.score(); });
  if (lowest->value() != std::to_string(kMostCalibratedIterations)) return;
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(fmt::format(
      "channel {}: `iterations=auto` tries at most {} iterations, and the result still became better; give a number to "
      "go on",
      chosen.c(), kMostCalibratedIterations));
  step.AddFinding(finding);
}

absl::Status TakeCalibration(JobStep& step, const v1::CalibrateResult& result, const Capabilities& capabilities) {
  const LiveJob& live = step.live();
  JobPlan plan = *live.plan();
  plan.samples.insert(plan.samples.end(), result.calibrations().begin(), result.calibrations().end());
  if (live.open_tasks() == 1) {
    const v1::DeconvolveSpec& spec = live.spec().deconvolve();
    const absl::StatusOr<v1::Method> method = capabilities.FindMethod(spec.method(), "deconvolve.method");
    if (!method.ok()) return step.FailJob(method.status(), "");
    plan.calibrations = Choose(*method, spec, ResultOf(live).shape().c(), plan.samples);
    for (const v1::Calibration& chosen : plan.calibrations) {
      *step.job().add_calibrations() = chosen;
      NoteLimit(step, chosen);
    }
    AddNext(step, plan);
  }
  KeepPlan(step, std::move(plan));
  return absl::OkStatus();
}

// --- Tiles ---

void AddThroughput(const LiveJob& job, int64_t number, double seconds, v1::JobProgress& progress) {
  if (seconds <= 0) return;
  const v1::DeconvolveSpec spec = WithChosen(job.spec().deconvolve(), job.plan()->calibrations, job.task(number).c);
  const FrameBox core = ToFrameBox(OutputsOf(job, number).front().box());
  const auto iterations = static_cast<double>(IterationsOf(spec));
  progress.set_megavoxels_per_second(static_cast<double>(core.box.shape.voxels()) * iterations / seconds / 1e6);
}

// After the last tile of a frame, those that start from it.
absl::Status Unblock(JobStep& step, const LiveTask& task) {
  const LiveJob& job = step.live();
  if (!StartsFromPrevious(job.spec()) || job.OpenTiles(task.t, task.c) > 1) return absl::OkStatus();
  const v1::Shape5& shape = ResultOf(job).shape();
  if (task.t + 1 >= static_cast<int64_t>(shape.t())) return absl::OkStatus();
  return UnblockTiles(step, {{task.t + 1, task.c}}, /*previous_done=*/true);
}

absl::Status TakeTile(JobStep& step, int64_t number, const v1::TileResult& tile) {
  AddStatistics(tile, step.job());
  if (!tile.preview().maximum().empty()) {
    step.change.previews.push_back(AdditionOf(step.live(), number, tile.preview()));
  }
  AddObjective(tile, step.job());
  AddThroughput(step.live(), number, tile.compute_seconds(), *step.job().mutable_progress());
  return Unblock(step, step.live().task(number));
}

// --- Simulations ---

void TakeSimulation(JobStep& step, const v1::SimulateResult& simulation) {
  if (simulation.clipped_voxels() == 0) return;
  const v1::VoxelType asked = step.live().spec().simulate().raw_type();
  step.AddFinding(
      ClippingFinding(simulation.clipped_voxels(), "the image", asked == v1::VOXEL_TYPE_UNSPECIFIED ? v1::U16 : asked));
}

// --- Checks of a PSF ---

void TakePsfCheck(JobStep& step, const v1::CheckPsfResult& check) {
  *step.job().mutable_psfs() = check.psfs();
  for (const v1::Finding& finding : check.findings()) step.AddFinding(finding);
}

// --- Exports ---

void TakeWrittenFile(JobStep& step, const v1::WriteFileResult& written) {
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(fmt::format("{} has {} bytes{}", step.live().spec().export_file().file(), written.size_bytes(),
                                  written.already_there() ? ", and was there already with this content" : ""));
  step.AddFinding(finding);
}

// --- All kinds ---

absl::Status CheckKind(const LiveJob& job, int64_t number, const v1::TaskResult& result, size_t boxes) {
  const TaskKind kind = job.task(number).kind;
  const v1::TaskResult::ResultCase expected = kind == TaskKind::kAnalyse          ? v1::TaskResult::kAnalyse
                                              : kind == TaskKind::kTile           ? v1::TaskResult::kTile
                                              : kind == TaskKind::kSimulate       ? v1::TaskResult::kSimulate
                                              : kind == TaskKind::kCalibrate      ? v1::TaskResult::kCalibrate
                                              : kind == TaskKind::kDistill        ? v1::TaskResult::kDistill
                                              : kind == TaskKind::kCheckPsf       ? v1::TaskResult::kCheckPsf
                                              : kind == TaskKind::kEstimatePsf    ? v1::TaskResult::kEstimatePsf
                                              : kind == TaskKind::kLookAtFile     ? v1::TaskResult::kLookAtFile
                                              : kind == TaskKind::kWriteFile      ? v1::TaskResult::kWriteFile
                                              : kind == TaskKind::kTrain          ? v1::TaskResult::kTrain
                                              : kind == TaskKind::kCheckModel     ? v1::TaskResult::kCheckModel
                                              : kind == TaskKind::kFinishTraining ? v1::TaskResult::kFinishTraining
                                                                                  : v1::TaskResult::RESULT_NOT_SET;
  if (result.result_case() != expected) {
    return WrongResult(fmt::format("the result of {} is not of the task's kind", TaskName(job.id(), number)));
  }
  if (OutputsOf(job, number).size() != boxes) {
    return WrongResult(fmt::format("the result of {} has {} pieces, but the task has {}", TaskName(job.id(), number),
                                   boxes, OutputsOf(job, number).size()));
  }
  if (kind == TaskKind::kTile) return CheckPreview(job, number, result.tile().preview());
  if (kind == TaskKind::kCalibrate) return CheckCalibrations(job, number, result.calibrate());
  if (kind == TaskKind::kEstimatePsf) return CheckPsfEstimate(job, number, result.estimate_psf().estimate());
  return kind == TaskKind::kAnalyse ? CheckAnalysisOf(job, result.analyse()) : absl::OkStatus();
}

absl::Status CommitBoxes(JobStep& step, int64_t number, const std::vector<uint32_t>& box_crc32c) {
  const std::vector<v1::OutputPiece> pieces = OutputsOf(step.live(), number);
  for (size_t i = 0; i < pieces.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string id, VolumeId(pieces[i].volume(), "outputs"));
    step.change.committed.push_back({id, {{ToFrameBox(pieces[i].box()), box_crc32c[i]}}});
  }
  return absl::OkStatus();
}

// The job's specification, with the gain of its first channel where that was estimated.
v1::DeconvolveSpec WithGain(const LiveJob& job) {
  v1::DeconvolveSpec spec = job.spec().deconvolve();
  if (spec.estimate_gain()) {
    spec.set_gain_photons_per_count(job.plan()->analysis.channels(0).gain_photons_per_count());
  }
  return spec;
}

// `open`: tasks that are still to be done.
absl::Status EndAfterLast(JobStep& step, int64_t open) {
  if (open > 0 || !step.change.new_tasks.empty()) return absl::OkStatus();
  if (IsEnd(step.change.job.state) || step.live().input() != nullptr) return absl::OkStatus();
  if (!step.live().spec().has_deconvolve()) return step.Succeed();
  const auto findings = CheckResult(step.live().spec().deconvolve(), step.live().plan()->analysis, step.job().result());
  if (!findings.ok()) return step.FailJob(findings.status(), "");
  for (const v1::Finding& finding : *findings) step.AddFinding(finding);
  const v1::DeconvolveSpec spec = WithGain(step.live());
  const int64_t images = VolumeNamed(step.live(), spec.input_volume()).shape().c();
  const int64_t results = ResultOf(step.live()).shape().c();
  for (const v1::Finding& finding : CheckQuality(spec, step.job().result().quality(), images / results)) {
    step.AddFinding(finding);
  }
  for (const v1::Finding& finding : TrustFindings(spec, step.job().result().trust())) step.AddFinding(finding);
  return step.Succeed();
}

// --- Failures ---

absl::Status Exhausted(const TaskRecord& task, const TaskFailure& failure) {
  const v1::ErrorInfo info = InfoOf(failure.error);
  const std::string what = failure.lost_lease ? fmt::format("was lost by its worker {} times", task.losses)
                                              : fmt::format("failed {} times", task.failures);
  return MakeError({.reason = v1::ATTEMPTS_EXHAUSTED,
                    .field = info.field(),
                    .remedy = info.remedy(),
                    .metadata = {{"last_reason", v1::ErrorReason_Name(info.reason())}}},
                   fmt::format("{} {}; the last error: {}", TaskName(task.job_id, task.number), what,
                               std::string(failure.error.message())));
}

absl::Status ReturnForRoom(JobStep& step, TaskRecord task, const absl::Status& error, const RetryRules& rules) {
  task.worker = step.live().FailedBy(task.number);  // its worker may have the task again
  task.not_before = step.now() + BackoffAfter(step.live().room_waits() + 1, rules);
  if (step.live().room_waits() == 0) step.AddRetry(task, error, false);
  return step.MoveTask(std::move(task), TaskState::kReady);
}

absl::Status ReturnUnbegun(JobStep& step, TaskRecord task) {
  task.worker = step.live().FailedBy(task.number);  // its worker may have the task again
  task.not_before = absl::UnixEpoch();
  return step.MoveTask(std::move(task), TaskState::kReady);
}

}  // namespace

absl::Duration BackoffAfter(int32_t n, const RetryRules& rules) {
  absl::Duration wait = rules.first_backoff;
  for (int32_t i = 1; i < n && wait < rules.longest_backoff; ++i) wait *= 2;
  return std::min(wait, rules.longest_backoff);
}

absl::Status TakeResult(JobStep& step, int64_t number, const v1::TaskResult& result,
                        const std::vector<uint32_t>& box_crc32c, const Capabilities& capabilities,
                        const ImportDecision& import) {
  RETURN_IF_ERROR(CheckKind(step.live(), number, result, box_crc32c.size()));
  RETURN_IF_ERROR(step.MoveTask(step.live().RecordOf(number), TaskState::kDone));
  RETURN_IF_ERROR(CommitBoxes(step, number, box_crc32c));
  if (result.has_analyse()) RETURN_IF_ERROR(TakeAnalysis(step, result.analyse(), capabilities));
  if (result.has_calibrate()) RETURN_IF_ERROR(TakeCalibration(step, result.calibrate(), capabilities));
  if (result.has_estimate_psf()) TakePsfEstimate(step, result.estimate_psf());
  if (result.has_tile()) RETURN_IF_ERROR(TakeTile(step, number, result.tile()));
  if (result.has_simulate()) TakeSimulation(step, result.simulate());
  for (const v1::Finding& finding : result.distill().findings()) step.AddFinding(finding);
  if (result.has_check_psf()) TakePsfCheck(step, result.check_psf());
  if (result.has_look_at_file()) RETURN_IF_ERROR(TakeLook(step, result.look_at_file(), import));
  if (result.has_write_file()) TakeWrittenFile(step, result.write_file());
  if (result.has_train()) RETURN_IF_ERROR(TakeTrainedPart(step, number, result.train()));
  if (result.has_finish_training()) RETURN_IF_ERROR(TakeTrainedModel(step, result.finish_training()));
  if (result.has_check_model()) RETURN_IF_ERROR(TakeModelCheck(step, result.check_model()));
  return EndAfterLast(step, step.live().open_tasks() - 1);
}

absl::Status TakeInput(JobStep& step, const Frames& frames) {
  RETURN_IF_ERROR(UnblockAnalysis(step));
  RETURN_IF_ERROR(UnblockTiles(step, frames));
  const bool begun = step.live().task_count() > 0;
  return begun ? EndAfterLast(step, step.live().open_tasks()) : absl::OkStatus();
}

absl::Status TakeFailure(JobStep& step, int64_t number, const TaskFailure& failure, const RetryRules& rules) {
  TaskRecord task = step.live().RecordOf(number);
  if (ReasonOf(failure.error) == v1::DISK_FULL) return ReturnForRoom(step, std::move(task), failure.error, rules);
  if (failure.unbegun) return ReturnUnbegun(step, std::move(task));
  ++(failure.lost_lease ? task.losses : task.failures);
  const bool exhausted = failure.lost_lease ? task.losses >= rules.loss_cap : task.failures >= rules.failure_cap;
  if (!failure.retry || exhausted) {
    RETURN_IF_ERROR(step.MoveTask(task, TaskState::kFailed));
    return step.FailJob(failure.retry ? Exhausted(task, failure) : failure.error, failure.log_excerpt);
  }
  const int32_t attempts = failure.lost_lease ? task.losses : task.failures;
  const bool at_once = (failure.lost_lease && !failure.reported) || (failure.crash && attempts == 1);
  task.not_before = at_once ? absl::UnixEpoch() : step.now() + BackoffAfter(attempts, rules);
  step.AddRetry(task, failure.error, failure.lost_lease);
  return step.MoveTask(task, TaskState::kReady);
}

std::string LackOfRoom(const absl::Status& error) {
  const v1::ErrorInfo info = InfoOf(error);
  const auto file = info.metadata().find("file");
  if (file != info.metadata().end()) return "room on the disk of " + Printable(file->second);
  const auto need = info.metadata().find("need_bytes");
  const auto free = info.metadata().find("free_bytes");
  if (need == info.metadata().end() || free == info.metadata().end()) return "room on the disk of the state folder";
  return fmt::format("room in the spool: {} bytes needed, {} free", Printable(need->second), Printable(free->second));
}

}  // namespace deconvoy::server
