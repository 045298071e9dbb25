#include "server/jobs/task_builder.h"

#include "proto/contract/deconvolution.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/preview.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/calibration.h"
#include "server/jobs/file_job.h"
#include "server/jobs/model_check.h"
#include "server/jobs/psf_estimation.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

// Outputs of a training, in the order of PlanOutputs.
constexpr int kModelOutput = 0, kStatesOutput = 1;

// What channels are called may be long and is of no use for computing: only who writes a file is told.
void AddInput(const LiveJob& job, const std::string& volume_name, v1::Task& task) {
  v1::VolumeAccess& access = *task.add_inputs();
  access.set_volume(volume_name);
  *access.mutable_spec() = job.volume(VolumeId(volume_name, "input").value());
  if (!task.has_write_file()) access.mutable_spec()->clear_channels();
}

const v1::VolumeSpec& SpecOf(const LiveJob& job, const std::string& volume_name) {
  return job.volume(VolumeId(volume_name, "volume").value());
}

// The part of the grid over the whole input that the job's results cover.
Box3 RegionOf(const LiveJob& job) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  return ResultBox(spec, SpecOf(job, spec.input_volume()));
}

// On that grid.
Tile TileOf(const LiveJob& job, const LiveTask& task) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  const Shape3 frame = FrameOf(OnResultGrid(spec, SpecOf(job, spec.input_volume())));
  return job.plan()->tiles.At(task.tile, frame, RegionOf(job));
}

// The tile's core in the results.
Box3 CoreInResult(const LiveJob& job, const LiveTask& task) {
  const Box3 core = TileOf(job, task).core;
  return {core.origin - RegionOf(job).origin, core.shape};
}

// That of the task's channel; null where none is, and for the tasks that estimate.
const v1::PsfReport* EstimatedPsf(const LiveJob& job, const LiveTask& live) {
  if (live.kind == TaskKind::kEstimatePsf) return nullptr;
  for (const v1::PsfEstimate& estimate : job.plan()->psf_estimates) {
    if (estimate.c() == static_cast<uint32_t>(live.c)) return &estimate.psf();
  }
  return nullptr;
}

// PSFs, frames and cameras of a tile: those of its channel, the PSF at each depth; where channels are joined those of
// all.
void FillViews(const LiveJob& job, const LiveTask& live, v1::TileTask& work) {
  const v1::AnalyseResult& analysis = job.plan()->analysis;
  const auto channels = static_cast<int>(SpecOf(job, job.spec().deconvolve().input_volume()).shape().c());
  const v1::Shape5& psf = SpecOf(job, job.spec().deconvolve().psf_volume()).shape();
  const auto psf_channels = static_cast<int>(psf.c()), stacks = static_cast<int>(psf.t());
  const bool joined = static_cast<int>(ResultOf(job).shape().c()) < channels;
  const int first = joined ? 0 : live.c, last = joined ? channels : live.c + 1;
  for (int c = first; c < last; ++c) {
    *work.add_frames() = StatisticsOf(analysis, channels, live.t, c);
    if (c < analysis.channels_size()) *work.add_channels() = analysis.channels(c);
    if (const v1::PsfReport* estimated = EstimatedPsf(job, live); estimated != nullptr) {
      *work.add_psfs() = *estimated;
      continue;
    }
    for (int t = 0; t < stacks; ++t) *work.add_psfs() = analysis.psfs(t * psf_channels + (psf_channels == 1 ? 0 : c));
  }
}

void AddModels(const LiveJob& job, google::protobuf::RepeatedPtrField<v1::ModelUse>& models, v1::Task& task) {
  models = job.record().job.models();
  for (const v1::ModelUse& use : models) AddInput(job, use.volume(), task);
}

// `spec` is the job's, with what is chosen for the tile's channel.
void FillTile(const LiveJob& job, const LiveTask& live, const v1::DeconvolveSpec& spec, v1::Task& task,
              v1::TileTask& work) {
  const JobPlan& plan = *job.plan();
  const Tile tile = TileOf(job, live);
  *work.mutable_spec() = spec;
  *work.mutable_core() = ToProto(FrameBox{live.t, live.c, tile.core});
  *work.mutable_loaded() = ToProto(FrameBox{live.t, live.c, tile.loaded});
  *work.mutable_padded() = ToProto(plan.tiles.padded);
  FillViews(job, live, work);
  AddInput(job, spec.input_volume(), task);
  const v1::Job& record = job.record().job;
  work.set_psf_volume(EstimatedPsf(job, live) == nullptr ? spec.psf_volume()
                                                         : record.outputs(PsfOutputOf(record)).volume());
  AddInput(job, work.psf_volume(), task);
  if (!spec.mask_volume().empty()) AddInput(job, spec.mask_volume(), task);
  if (!spec.flat_field_volume().empty()) AddInput(job, spec.flat_field_volume(), task);
  if (StartsFromPrevious(job.spec()) && live.t > 0) {
    const std::string& result = job.record().job.outputs(0).volume();
    work.set_previous_volume(result);
    AddInput(job, result, task);
  }
}

void FillChosenTile(const LiveJob& job, const LiveTask& live, v1::Task& task) {
  const std::vector<v1::Calibration>& chosen = job.plan()->calibrations;
  v1::TileTask& work = *task.mutable_tile();
  FillTile(job, live, WithChosen(job.spec().deconvolve(), chosen, live.c), task, work);
  work.set_preview_step(static_cast<uint32_t>(PreviewStep(FrameOf(ResultOf(job)))));
  for (const v1::Calibration& calibration : chosen) {
    if (calibration.c() == static_cast<uint32_t>(live.c)) *work.add_calibrations() = calibration;
  }
  AddModels(job, *work.mutable_models(), task);
  for (const v1::ModelScale& scale : job.plan()->analysis.scales()) {
    if (scale.c() == static_cast<uint32_t>(live.c)) *work.mutable_model_scale() = scale;
  }
  work.set_compare(AppliesModels(job.spec().deconvolve()) &&
                   IsComparedTile(job.spec().deconvolve(), live.tile, job.plan()->tiles.tiles()));
}

void FillAnalyse(const LiveJob& job, v1::Task& task) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  *task.mutable_analyse()->mutable_spec() = spec;
  task.mutable_analyse()->set_first_planes(spec.first_planes());
  AddInput(job, spec.input_volume(), task);
  AddInput(job, spec.psf_volume(), task);
  if (!spec.mask_volume().empty()) AddInput(job, spec.mask_volume(), task);
  if (!spec.flat_field_volume().empty()) AddInput(job, spec.flat_field_volume(), task);
  if (AppliesModels(spec)) AddModels(job, *task.mutable_analyse()->mutable_models(), task);
}

void FillSimulate(const LiveJob& job, v1::Task& task) {
  const v1::SimulateSpec& spec = job.spec().simulate();
  *task.mutable_simulate()->mutable_spec() = spec;
  if (!spec.psf_volume().empty()) AddInput(job, spec.psf_volume(), task);
}

void FillModelPsf(const LiveJob& job, v1::Task& task) {
  *task.mutable_model_psf()->mutable_spec() = job.spec().model_psf();
}

void FillDistill(const LiveJob& job, v1::Task& task) {
  *task.mutable_distill()->mutable_spec() = job.spec().distill();
  AddInput(job, job.spec().distill().input_volume(), task);
  for (const std::string& name : job.spec().distill().more_volumes()) AddInput(job, name, task);
}

void FillCheckPsf(const LiveJob& job, v1::Task& task) {
  *task.mutable_check_psf()->mutable_spec() = job.spec().check_psf();
  AddInput(job, job.spec().check_psf().psf_volume(), task);
}

void FillPreparePsf(const LiveJob& job, v1::Task& task) {
  *task.mutable_prepare_psf()->mutable_spec() = job.spec().prepare_psf();
  AddInput(job, job.spec().prepare_psf().psf_volume(), task);
}

void FillReadFile(const LiveJob& job, v1::Task& task) {
  const ImportPlan& plan = *job.plan()->import;
  *task.mutable_read_file()->mutable_spec() = plan.spec;
  *task.mutable_read_file()->mutable_stamp() = plan.stamp;
}

void FillWriteFile(const LiveJob& job, v1::Task& task) {
  *task.mutable_write_file()->mutable_spec() = job.spec().export_file();
  AddInput(job, job.spec().export_file().volume(), task);
}

void AddTrainingInputs(const LiveJob& job, v1::Task& task) {
  const v1::TrainModelSpec& spec = job.spec().train_model();
  AddInput(job, spec.psf_volume(), task);
  for (const std::string& name : spec.input_volumes()) AddInput(job, name, task);
  for (const std::string& name : spec.truth_volumes()) AddInput(job, name, task);
}

const std::string& StatesOf(const LiveJob& job) {
  return job.record().job.outputs(kStatesOutput).volume();
}

void FillTrain(const LiveJob& job, const LiveTask& live, v1::Task& task) {
  v1::TrainTask& work = *task.mutable_train();
  const v1::TrainModelSpec& spec = job.spec().train_model();
  *work.mutable_spec() = spec;
  work.set_part(static_cast<uint32_t>(live.t));
  work.set_first_step(FirstStep(spec, work.part()));
  work.set_last_step(FirstStep(spec, work.part() + 1));
  AddTrainingInputs(job, task);
  if (live.t == 0) return;
  work.set_state_volume(StatesOf(job));
  AddInput(job, work.state_volume(), task);
}

void FillFinishTraining(const LiveJob& job, const LiveTask& live, v1::Task& task) {
  v1::FinishTrainingTask& work = *task.mutable_finish_training();
  *work.mutable_spec() = job.spec().train_model();
  work.set_part(static_cast<uint32_t>(live.t));
  work.set_state_volume(StatesOf(job));
  AddTrainingInputs(job, task);
  AddInput(job, work.state_volume(), task);
}

void FillCheckModel(const LiveJob& job, v1::Task& task) {
  *task.mutable_check_model()->mutable_spec() = job.spec().check_model();
  AddInput(job, job.spec().check_model().model_volume(), task);
}

void FillProject(const LiveJob& job, const LiveTask& live, v1::Task& task) {
  v1::ProjectTask& work = *task.mutable_project();
  *work.mutable_spec() = job.spec().project();
  work.set_t(static_cast<uint32_t>(live.t));
  work.set_c(static_cast<uint32_t>(live.c));
  AddInput(job, job.spec().project().input_volume(), task);
}

// A piece of the job's n-th output: `box` of it, or all of the frame when `box` is empty.
v1::OutputPiece Piece(const LiveJob& job, int output, const LiveTask& task, Box3 box) {
  const std::string& name = job.record().job.outputs(output).volume();
  const v1::VolumeSpec& spec = job.volume(VolumeId(name, "output").value());
  if (box.empty()) box.shape = FrameOf(spec);
  v1::OutputPiece piece;
  piece.set_volume(name);
  piece.set_type(spec.type());
  *piece.mutable_box() = ToProto(FrameBox{task.t, task.c, box});
  return piece;
}

// All of the task's channel in the output `psf`, which has one time point.
v1::OutputPiece PsfPiece(const LiveJob& job, LiveTask task) {
  task.t = 0;
  return Piece(job, PsfOutputOf(job.record().job), task, {});
}

// The only frame of the model of a training.
v1::OutputPiece ModelPiece(const LiveJob& job, LiveTask task) {
  task.t = 0;
  return Piece(job, kModelOutput, task, {});
}

// A piece for each frame of the job's only output, t,c order.
std::vector<v1::OutputPiece> AllFrames(const LiveJob& job, LiveTask task) {
  const v1::Shape5& shape = ResultOf(job).shape();
  std::vector<v1::OutputPiece> pieces;
  for (task.t = 0; task.t < static_cast<int32_t>(shape.t()); ++task.t) {
    for (task.c = 0; task.c < static_cast<int32_t>(shape.c()); ++task.c) pieces.push_back(Piece(job, 0, task, {}));
  }
  return pieces;
}

}  // namespace

const v1::VolumeSpec& ResultOf(const LiveJob& job) {
  return SpecOf(job, job.record().job.outputs(0).volume());
}

bool StartsFromPrevious(const v1::JobSpec& spec) {
  const auto& parameters = spec.deconvolve().parameters();
  const auto initial = parameters.find("initial");
  return initial != parameters.end() && initial->second == "previous";
}

std::vector<v1::OutputPiece> OutputsOf(const LiveJob& job, int64_t number) {
  const LiveTask& task = job.task(number);
  std::vector<v1::OutputPiece> pieces;
  switch (task.kind) {
    case TaskKind::kAnalyse:
    case TaskKind::kCalibrate:
    case TaskKind::kCheckPsf:
    case TaskKind::kLookAtFile:
    case TaskKind::kWriteFile:
    case TaskKind::kCheckModel:
      break;
    case TaskKind::kReadFile:
      pieces = PiecesOfPart(job.plan()->import->spec, job.record().job.outputs(0).volume(), task.tile);
      break;
    case TaskKind::kTrain:
      pieces.push_back(Piece(job, kStatesOutput, task, {}));
      break;
    case TaskKind::kFinishTraining:
      pieces.push_back(ModelPiece(job, task));
      break;
    case TaskKind::kTile:
      for (int i = 0; i < job.record().job.outputs_size(); ++i) {
        if (i == PsfOutputOf(job.record().job)) continue;
        pieces.push_back(Piece(job, i, task, CoreInResult(job, task)));
      }
      break;
    case TaskKind::kEstimatePsf:
      pieces.push_back(PsfPiece(job, task));
      break;
    case TaskKind::kPreparePsf:
      pieces = AllFrames(job, task);
      break;
    case TaskKind::kSimulate:
    case TaskKind::kProject:
    case TaskKind::kModelPsf:
    case TaskKind::kDistill:
      for (int i = 0; i < job.record().job.outputs_size(); ++i) pieces.push_back(Piece(job, i, task, {}));
      break;
  }
  return pieces;
}

int64_t OutputBytes(const v1::Task& task) {
  int64_t bytes = 0;
  for (const v1::OutputPiece& piece : task.outputs()) {
    bytes += ToFrameBox(piece.box()).box.shape.voxels() * BytesPerVoxel(piece.type());
  }
  return bytes;
}

v1::Task BuildTask(const LiveJob& job, int64_t number) {
  const LiveTask& live = job.task(number);
  v1::Task task;
  task.set_name(TaskName(job.id(), number));
  switch (live.kind) {
    case TaskKind::kAnalyse:
      FillAnalyse(job, task);
      break;
    case TaskKind::kTile:
      FillChosenTile(job, live, task);
      break;
    case TaskKind::kSimulate:
      FillSimulate(job, task);
      break;
    case TaskKind::kProject:
      FillProject(job, live, task);
      break;
    case TaskKind::kModelPsf:
      FillModelPsf(job, task);
      break;
    case TaskKind::kDistill:
      FillDistill(job, task);
      break;
    case TaskKind::kCheckPsf:
      FillCheckPsf(job, task);
      break;
    case TaskKind::kPreparePsf:
      FillPreparePsf(job, task);
      break;
    case TaskKind::kLookAtFile:
      task.mutable_look_at_file();
      break;
    case TaskKind::kReadFile:
      FillReadFile(job, task);
      break;
    case TaskKind::kWriteFile:
      FillWriteFile(job, task);
      break;
    case TaskKind::kTrain:
      FillTrain(job, live, task);
      break;
    case TaskKind::kFinishTraining:
      FillFinishTraining(job, live, task);
      break;
    case TaskKind::kCheckModel:
      FillCheckModel(job, task);
      break;
    case TaskKind::kCalibrate:
      FillTile(job, live, job.spec().deconvolve(), task, *task.mutable_calibrate()->mutable_tile());
      break;
    case TaskKind::kEstimatePsf:
      FillTile(job, live, job.spec().deconvolve(), task, *task.mutable_estimate_psf()->mutable_tile());
      break;
  }
  for (v1::OutputPiece& piece : OutputsOf(job, number)) *task.add_outputs() = std::move(piece);
  return task;
}

}  // namespace deconvoy::server
