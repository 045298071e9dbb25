#include "server/jobs/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/contract/companion_volumes.h"
#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/optics.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/calibration.h"
#include "server/jobs/examiner.h"
#include "server/jobs/file_job.h"
#include "server/jobs/model_check.h"
#include "server/jobs/psf_lookup.h"
#include "server/jobs/psf_size.h"
#include "server/jobs/streamable.h"
#include "server/jobs/tile_planning.h"
#include "server/jobs/voxel_size_check.h"

namespace deconvoy::server {
namespace {

// Channels that parameters are found for: the job shows the scores of each.
constexpr int64_t kCalibratedChannels = 256;

}  // namespace

void Examiner::Add(v1::Severity severity, std::string_view message, const v1::ErrorInfo& info) {
  v1::Finding& finding = *result.report.add_findings();
  finding.set_severity(severity);
  finding.set_message(std::string(message));
  if (info.reason() != v1::ERROR_REASON_UNSPECIFIED) *finding.mutable_info() = info;
}

absl::Status Examiner::Refuse(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  if (reason == v1::ERROR_REASON_UNSPECIFIED || reason == v1::STORAGE_FAILURE) return status;
  Add(v1::REFUSAL, std::string(status.message()), InfoOf(status));
  refused_ = true;
  return absl::OkStatus();
}

absl::Status Examiner::FindVolume(const std::string& name, const std::string& field,
                                  std::optional<v1::VolumeSpec>& found, bool* growing) {
  ASSIGN_OR_RETURN(const std::string id, VolumeId(name, field));
  const absl::StatusOr<VolumeRecord> record = store_.GetVolume(id);
  if (!record.ok() && ReasonOf(record.status()) != v1::NOT_FOUND) return record.status();
  if (!record.ok() || record->owner != owner_) {
    return Refuse(MakeError({.reason = v1::NOT_FOUND, .field = field, .remedy = "Upload it, or name another volume."},
                            fmt::format("`{}`: there is no volume \"{}\"", field, name)));
  }
  if (growing != nullptr) *growing = record->state != v1::COMPLETE && !record->job_output;
  if (record->state != v1::COMPLETE && (growing == nullptr || !*growing)) {
    return Refuse(MakeError(
        {.reason = v1::VOLUME_INCOMPLETE,
         .field = field,
         .remedy = "Send the missing boxes and call Finish, then submit again."},
        fmt::format(
            "`{}`: {} is not complete yet: {} bytes of {} are there", field, name, record->committed_bytes,
            VolumeBytes(ToShape(record->spec.shape(), record->spec.type(), field).value(), record->spec.type()))));
  }
  found = record->spec;
  result.inputs[id] = record->spec;
  return absl::OkStatus();
}

absl::Status Examiner::CheckMask(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input) {
  if (spec.mask_volume().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(FindVolume(spec.mask_volume(), "deconvolve.mask_volume", mask_));
  if (!mask_) return absl::OkStatus();
  const absl::Status fits = ValidateMask(input, *mask_);
  return fits.ok() ? fits : Refuse(fits);
}

absl::Status Examiner::CheckFlatField(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input) {
  if (spec.flat_field_volume().empty()) return absl::OkStatus();
  std::optional<v1::VolumeSpec> flat;
  RETURN_IF_ERROR(FindVolume(spec.flat_field_volume(), "deconvolve.flat_field_volume", flat));
  if (!flat) return absl::OkStatus();
  const absl::Status fits = ValidateFlatField(input, *flat);
  return fits.ok() ? fits : Refuse(fits);
}

// An estimate has the voxels of the given PSF's volume, and starts from its values.
absl::Status Examiner::CheckEstimate(const v1::Method& method, const v1::DeconvolveSpec& spec) {
  if (!method.estimates_psf()) return absl::OkStatus();
  const absl::Status pupil = CheckPupil(spec, method, *input_, *psf_);
  if (!pupil.ok()) RETURN_IF_ERROR(Refuse(pupil));
  if (!StepsOf(OnResultGrid(spec, *input_).voxel_size(), psf_->voxel_size()).same()) {
    RETURN_IF_ERROR(Refuse(MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                                      .field = "deconvolve.psf_volume",
                                      .remedy = "Give the PSF with the image's voxel size."},
                                     fmt::format("`{}` needs a PSF with the image's voxels", method.name()))));
  }
  if (spec.psf_background_case() == v1::DeconvolveSpec::PSF_BACKGROUND_NOT_SET) return absl::OkStatus();
  return Refuse(MakeError({.reason = v1::INVALID_FIELD,
                           .field = "deconvolve.psf_background_auto",
                           .remedy = "Give a PSF without background."},
                          fmt::format("`{}` takes no background off the PSF", method.name())));
}

// What a result on another grid, or of other channels than the image, will be.
void Examiner::NoteGrid(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& input) {
  const int64_t upsample = AxialUpsample(spec);
  const Box3 box = ResultBox(spec, input);
  if (upsample > 1) {
    Add(v1::INFO,
        fmt::format("the result has {} planes; the first of every {} is a plane of the image", box.shape.z, upsample));
  }
  if (spec.has_region_shape()) {
    const v1::Voxel3& origin = spec.region_origin();
    Add(v1::INFO, fmt::format("only a region is computed: voxel 0,0,0 of the result is {},{},{} of the image",
                              origin.z(), origin.y(), origin.x()));
  }
  if (method.joins_channels()) {
    Add(v1::INFO, fmt::format("{} channels are views of one specimen, and become one", input.shape().c()));
  }
  if (spec.psf_depths_um_size() > 1) {
    Add(v1::INFO, fmt::format("each tile is computed with the PSF of every depth that counts in it, of {}, and the "
                              "results are blended",
                              spec.psf_depths_um_size()));
  }
}

// The plan with all of the PSF. Where memory does not suffice for it, a smaller PSF may still do, which only the
// analysis can tell; refused is what cannot fit with any.
absl::StatusOr<TilePlan> Examiner::UpperPlan(const v1::DeconvolveSpec& spec, const v1::Method& method,
                                             const Shape3& frame, const Box3& region, const Shape3& given,
                                             const Shape3& psf, int64_t psfs) {
  PlanInputs inputs{.frame = frame,
                    .region = region,
                    .given_psf = given,
                    .psf = UsablePsf(psf, frame, spec.boundary()),
                    .halo = {},
                    .machine = capabilities_.Machine(spec.backend(), NeededMethod(spec, result.models)),
                    .psfs = psfs,
                    .models = NeedsOf(result.models, capabilities_.FindMethod(spec.classical_method(), "")),
                    .growing = spec.first_planes() > 0};
  absl::StatusOr<TilePlan> upper = PlanJobTiles(spec, method, inputs);
  if (upper.ok() || ReasonOf(upper.status()) != v1::OUT_OF_MEMORY || spec.boundary() == v1::PERIODIC) return upper;
  inputs.psf = {1, 1, 1};
  absl::StatusOr<TilePlan> lower = PlanJobTiles(spec, method, inputs);
  if (lower.ok()) {
    Add(v1::WARNING,
        fmt::format("{}; it goes on if the part of the PSF that holds its energy is small enough",
                    std::string(upper.status().message())),
        InfoOf(upper.status()));
  }
  return lower;
}

absl::Status Examiner::CheckAmounts(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input,
                                    const v1::VolumeSpec& psf) {
  const v1::Shape5 &image = input.shape(), &stacks = psf.shape();
  const absl::Status frames = CheckFrameCount(spec, input);
  if (!frames.ok()) RETURN_IF_ERROR(Refuse(frames));
  RETURN_IF_ERROR(CheckAmount(int64_t{stacks.t()} * stacks.c(), kAnalysedPsfs, "deconvolve.psf_volume",
                              "Give fewer depths, or one PSF for all channels.", "PSFs (channels times depths)"));
  return CheckAmount(IsAutomatic(spec) ? int64_t{image.c()} : 0, kCalibratedChannels, "deconvolve.parameters",
                     "Give numbers in the place of `auto`, or cut the volume along its channels.",
                     "channels with automatic parameters");
}

absl::Status Examiner::CheckTiles(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& input,
                                  const v1::VolumeSpec& psf) {
  const Shape3 frame = FrameOf(OnResultGrid(spec, input));
  const int64_t read_frames = int64_t{input.shape().t()} * input.shape().c();
  const int64_t frames = method.joins_channels() ? input.shape().t() : read_frames;
  const PsfSteps steps = StepsOf(OnResultGrid(spec, input).voxel_size(), psf.voxel_size());
  const Shape3 told = MostTold(FrameOf(psf), steps);
  for (v1::Finding& finding : PsfSizeFindings(spec.boundary(), frame, told)) {
    *result.report.add_findings() = std::move(finding);
  }
  const int64_t psfs = PsfsOfTile(spec, method, input.shape().c());
  const absl::StatusOr<TilePlan> plan =
      UpperPlan(spec, method, frame, ResultBox(spec, input), PsfRoom(FrameOf(psf), steps), told, psfs);
  if (!plan.ok()) return Refuse(plan.status());
  if (plan->tiles() > (limits::kTasksPerJob - 1) / frames) {
    return Refuse(MakeError(
        {.reason = v1::LIMIT_EXCEEDED,
         .field = "deconvolve.tile.core",
         .remedy = "Ask for larger tiles, or leave their size open.",
         .metadata = {{"limit", fmt::format("{}", limits::kTasksPerJob)}}},
        fmt::format("{} frames of {} tiles each are more than {} tasks", frames, plan->tiles(), limits::kTasksPerJob)));
  }
  result.report.set_worker_memory_bytes(static_cast<uint64_t>(plan->memory_bytes));
  result.report.set_tiles_per_frame(static_cast<uint32_t>(plan->tiles()));
  *result.report.mutable_core() = ToProto(plan->core);
  *result.report.mutable_padded() = ToProto(plan->padded);
  result.work =
      EstimateWork(spec, method, *plan, frames, psfs) + PsfEstimationWork(spec, method, *plan, input.shape().c());
  return absl::OkStatus();
}

// Every reason why first planes are not enough.
absl::Status Examiner::CheckStreamable(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  for (const absl::Status& whole : NeedsOfWholeInput(spec, method)) RETURN_IF_ERROR(Refuse(whole));
  return absl::OkStatus();
}

absl::Status Examiner::CheckDeconvolve(const v1::DeconvolveSpec& given) {
  v1::DeconvolveSpec& spec = *result.spec.mutable_deconvolve();
  const absl::StatusOr<v1::Method> method = capabilities_.FindMethod(given.method(), "deconvolve.method");
  if (!method.ok()) RETURN_IF_ERROR(Refuse(method.status()));
  if (method.ok()) {
    method_ = *method;
    absl::StatusOr<v1::DeconvolveSpec> resolved = ResolveSpec(given, *method);
    if (!resolved.ok()) {
      RETURN_IF_ERROR(Refuse(resolved.status()));
    } else {
      spec = *std::move(resolved);
    }
    RETURN_IF_ERROR(CheckModelsOf(given, *method, spec));
  }
  bool growing = false;
  RETURN_IF_ERROR(FindVolume(given.input_volume(), "deconvolve.input_volume", input_, &growing));
  RETURN_IF_ERROR(FindVolume(given.psf_volume(), "deconvolve.psf_volume", psf_));
  if (growing && spec.first_planes() == 0) spec.set_first_planes(kFirstPlanes);
  if (spec.first_planes() > 0 && method.ok()) RETURN_IF_ERROR(CheckStreamable(spec, *method));
  if (!input_ || !psf_) return absl::OkStatus();
  std::string note;
  const absl::Status pair = ValidatePsf(spec, *input_, *psf_, &note);
  if (!pair.ok()) return Refuse(pair);
  if (!note.empty()) Add(v1::INFO, note);
  NoteVoxelSize(input_->voxel_size(), "image", "deconvolve.input_volume");
  NoteVoxelSize(psf_->voxel_size(), "PSF", "deconvolve.psf_volume");
  RETURN_IF_ERROR(CheckCentre(spec, *psf_, "deconvolve"));
  const absl::Status optics = ValidateOpticsCount(spec.optics(), input_->shape().c(), "image", "deconvolve");
  if (!optics.ok()) RETURN_IF_ERROR(Refuse(optics));
  RETURN_IF_ERROR(CheckMask(spec, *input_));
  RETURN_IF_ERROR(CheckFlatField(spec, *input_));
  if (refused_) return absl::OkStatus();
  RETURN_IF_ERROR(CheckEstimate(*method, spec));
  for (const absl::Status& fits : {CheckViews(*method, *input_, *psf_), CheckResidual(spec, *method),
                                   CheckPlaneBackgrounds(spec, *input_), CheckRegion(spec, *input_)}) {
    if (!fits.ok()) RETURN_IF_ERROR(Refuse(fits));
  }
  if (refused_) return absl::OkStatus();
  RETURN_IF_ERROR(CheckAmounts(spec, *input_, *psf_));
  if (refused_) return absl::OkStatus();
  NoteGrid(spec, *method, *input_);
  const v1::VoxelSize voxel = OnResultGrid(spec, *input_).voxel_size();
  for (v1::Finding& finding : ModelFindings(result.models, voxel, AppliesModels(spec))) {
    *result.report.add_findings() = std::move(finding);
  }
  return CheckTiles(spec, *method, *input_, *psf_);
}

// What is wrong with the file itself only a worker can tell.
absl::Status Examiner::CheckFileJob(const v1::JobSpec& spec) {
  const absl::Status allowed = CheckFile(roots_, owner_, spec);
  if (!allowed.ok()) RETURN_IF_ERROR(Refuse(allowed));
  if (!spec.has_export_file()) return absl::OkStatus();
  return FindVolume(spec.export_file().volume(), "export_file.volume", input_);
}

// Of the scratch file of one task: a tile's core, or a frame of every output; all frames of a prepared PSF. An
// estimated PSF has a task of its own.
int64_t Examiner::LargestScratchBytes(const std::vector<PlannedOutput>& outputs) const {
  int64_t bytes = 0, psf_bytes = 0;
  for (const PlannedOutput& output : outputs) {
    const bool is_psf = result.report.has_core() && output.role == "psf";
    const Shape3 piece = result.report.has_core() && !is_psf ? ToShape3(result.report.core()) : FrameOf(output.spec);
    const v1::Shape5& shape = output.spec.shape();
    const int64_t pieces = result.spec.has_prepare_psf() ? int64_t{shape.t()} * shape.c() : 1;
    (is_psf ? psf_bytes : bytes) += pieces * piece.voxels() * BytesPerVoxel(output.spec.type());
  }
  return std::max(bytes, psf_bytes);
}

absl::Status Examiner::CheckOutputs() {
  absl::StatusOr<std::vector<PlannedOutput>> outputs =
      PlanOutputs(result.spec, input_ ? &*input_ : nullptr, psf_ ? &*psf_ : nullptr, method_ ? &*method_ : nullptr,
                  network_ ? &*network_ : nullptr);
  if (!outputs.ok()) return Refuse(outputs.status());
  int64_t bytes = 0;
  for (const PlannedOutput& output : *outputs) {
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(output.spec.shape(), output.spec.type(), "shape"));
    bytes += VolumeBytes(shape, output.spec.type());
  }
  const int64_t scratch_bytes = LargestScratchBytes(result.outputs = *std::move(outputs));
  result.report.set_result_bytes(static_cast<uint64_t>(bytes));
  const absl::Status quota = volumes_.quotas().Check(owner_, {.bytes = bytes, .unfinished_jobs = 1});
  if (!quota.ok()) return Refuse(AddContext(quota, "the job and its result"));
  const absl::Status room = volumes_.CheckRoom(bytes + scratch_bytes);
  return room.ok() ? room : Refuse(AddContext(room, "the result and one task's scratch file"));
}

// What no worker could hold is refused; tiles have been planned for the memory there is.
absl::Status Examiner::CheckWholeTasks() {
  const int64_t whole = WholeTaskBytes(result.spec, input_ ? &*input_ : nullptr, psf_ ? &*psf_ : nullptr);
  const int64_t need = std::max(whole, static_cast<int64_t>(result.training_bytes));
  const uint64_t known = result.report.worker_memory_bytes();
  result.report.set_worker_memory_bytes(std::max(known, static_cast<uint64_t>(need)));
  const int64_t budget = capabilities_.LargestBudget(result.spec.deconvolve().backend());
  if (budget == 0 || need <= budget) return absl::OkStatus();
  return Refuse(
      MakeError({.reason = v1::OUT_OF_MEMORY,
                 .remedy = "Use a smaller image or PSF, or start a worker with more memory.",
                 .metadata = {{"need_bytes", fmt::to_string(need)}, {"budget_bytes", fmt::to_string(budget)}}},
                fmt::format("one task needs {} MiB of memory, but no worker may use more than {} MiB",
                            (need + (1 << 20) - 1) >> 20, budget >> 20)));
}

void Examiner::NoteVoxelSize(const v1::VoxelSize& size, std::string_view what, const std::string& field) {
  std::optional<v1::Finding> unusual = UnusualVoxelSize(size, what, field);
  if (unusual) *result.report.add_findings() = *std::move(unusual);
}

void Examiner::NoteTimes(double queued_work) {
  const std::string& backend = result.spec.deconvolve().backend();
  if (!capabilities_.HasWorker(backend)) {
    Add(v1::INFO, backend.empty() ? "no worker is connected; the job waits for one"
                                  : fmt::format("no worker with `{}` is connected; the job waits for one", backend));
  }
  const double rate = capabilities_.Rate(backend);
  if (rate <= 0) return;
  result.report.set_compute_seconds(result.work / rate);
  result.report.set_queue_seconds(queued_work / rate);
}

absl::Status Examiner::Run(v1::JobSpec spec, double queued_work) {
  const absl::Status form = ValidateJobSpec(spec);
  if (!form.ok()) return Refuse(form);
  const absl::StatusOr<std::optional<v1::Finding>> named = LookUpPsf(store_, owner_, spec);
  if (!named.ok()) return Refuse(named.status());
  if (*named) *result.report.add_findings() = **named;
  result.spec = spec;
  switch (spec.work_case()) {
    case v1::JobSpec::kDeconvolve:
      RETURN_IF_ERROR(CheckDeconvolve(spec.deconvolve()));
      break;
    case v1::JobSpec::kSimulate:
      NoteVoxelSize(spec.simulate().voxel_size(), "specimen", "simulate.voxel_size");
      if (!spec.simulate().psf_volume().empty()) {
        RETURN_IF_ERROR(FindVolume(spec.simulate().psf_volume(), "simulate.psf_volume", psf_));
      }
      break;
    case v1::JobSpec::kDistill:
      RETURN_IF_ERROR(CheckDistill(spec.distill()));
      break;
    case v1::JobSpec::kCheckPsf:
      RETURN_IF_ERROR(CheckGivenPsf(spec.check_psf()));
      break;
    case v1::JobSpec::kPreparePsf:
      RETURN_IF_ERROR(CheckPreparedPsf(spec.prepare_psf()));
      break;
    case v1::JobSpec::kTrainModel:
      RETURN_IF_ERROR(CheckTraining(spec.train_model()));
      break;
    case v1::JobSpec::kCheckModel:
      RETURN_IF_ERROR(CheckModelFile(spec.check_model()));
      break;
    case v1::JobSpec::kModelPsf:
      NoteVoxelSize(spec.model_psf().voxel_size(), "PSF", "model_psf.voxel_size");
      break;
    case v1::JobSpec::kImportFile:
    case v1::JobSpec::kExportFile:
      RETURN_IF_ERROR(CheckFileJob(spec));
      break;
    default:
      RETURN_IF_ERROR(FindVolume(spec.project().input_volume(), "project.input_volume", input_));
      break;
  }
  if (refused_) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOutputs());
  if (!refused_) RETURN_IF_ERROR(CheckWholeTasks());
  NoteTimes(queued_work);
  result.report.set_accepted(!refused_);
  return absl::OkStatus();
}

absl::StatusOr<Examination> JobExaminer::Examine(const std::string& owner, const v1::JobSpec& spec,
                                                 double queued_work) const {
  Examiner examiner(owner, store_, volumes_, capabilities_, roots_);
  RETURN_IF_ERROR(examiner.Run(spec, queued_work));
  return std::move(examiner.result);
}

}  // namespace deconvoy::server
