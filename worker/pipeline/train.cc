#include "worker/pipeline/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/byte_volume.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/learned/script.h"
#include "worker/learned/training.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/model_evidence.h"
#include "worker/pipeline/model_file.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/revision.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

constexpr std::string_view kPickle = "\x80\x02\x8a\x0a";  // as torch.save began once

// Specimens of each kind that a model is judged by.
constexpr int64_t kJudgedSpecimens = 4;

// Hands steps to the task's context.
class ContextObserver : public learned::TrainingObserver {
 public:
  // Of the steps after the first `before`.
  ContextObserver(TaskContext& context, int64_t before, int64_t last)
      : context_(context), before_(before), last_(last) {}
  absl::Status Stepped(int64_t step, int64_t steps) override {
    return context_.Progress(step - before_, (last_ > 0 ? last_ : steps) - before_);
  }
  absl::Status GoOn() override {
    return context_.cancelled() ? absl::CancelledError("the task was cancelled") : absl::OkStatus();
  }

 private:
  TaskContext& context_;
  const int64_t before_, last_;
};

learned::Source SourceOf(v1::TrainingTarget target) {
  switch (target) {
    case v1::CLASSICAL:
      return learned::Source::kMethod;
    case v1::PAIRS:
      return learned::Source::kPairs;
    case v1::BLIND_SPOT:
      return learned::Source::kBlindSpot;
    case v1::DEGRADATION:
      return learned::Source::kDegradation;
    case v1::DENOISE:
      return learned::Source::kDenoise;
    default:
      return learned::Source::kTruth;
  }
}

// As a deconvolution with this PSF and no wishes about it prepares it.
absl::StatusOr<PreparedPsf> ReadTrainingPsf(VolumeSource& source, const v1::VolumeAccess& volume) {
  Shape3 shape = FrameShape(volume.spec());
  ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(source, volume, {0, 0, {{}, shape}}));
  PsfOptions options;
  options.image = shape;  // limits nothing
  options.voxel = volume.spec().voxel_size();
  ASSIGN_OR_RETURN(const PsfAnalysis analysis,
                   AnalysePsf(std::span<const float>(values), std::as_const(shape), 0, options));
  const Box3 box = PsfBoxToRead(analysis.report, shape);
  std::vector<float> read(static_cast<size_t>(box.shape.voxels()));
  CopyBox(std::as_bytes(std::span(values)).data(), {{}, shape}, std::as_writable_bytes(std::span(read)).data(), box,
          sizeof(float));
  return PreparePsf(std::move(read), shape, analysis.report);
}

// Every frame of every image is one of its own.
absl::Status AddImages(const v1::Task& task, const v1::TrainModelSpec& spec, VolumeSource& source,
                       learned::Recipe& recipe) {
  for (int i = 0; i < spec.input_volumes_size(); ++i) {
    ASSIGN_OR_RETURN(const v1::VolumeAccess* image, FindInput(task, spec.input_volumes(i)));
    const v1::VolumeAccess* truth = nullptr;
    if (i < spec.truth_volumes_size()) {
      ASSIGN_OR_RETURN(truth, FindInput(task, spec.truth_volumes(i)));
    }
    const v1::Shape5& shape = image->spec().shape();
    const Box3 whole{{}, FrameShape(image->spec())};
    for (int64_t frame = 0; frame < int64_t{shape.t()} * shape.c(); ++frame) {
      const FrameBox box{frame / shape.c(), frame % shape.c(), whole};
      learned::GivenImage& given = recipe.images.emplace_back();
      given.shape = whole.shape;
      ASSIGN_OR_RETURN(given.image, ReadRegion(source, *image, box));
      if (truth == nullptr) continue;
      ASSIGN_OR_RETURN(given.target, ReadRegion(source, *truth, box));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<learned::Recipe> RecipeOf(const v1::Task& task, const v1::TrainModelSpec& spec, VolumeSource& source) {
  learned::Recipe recipe;
  recipe.network = spec.network();
  recipe.head = spec.head() == v1::PROBABILISTIC ? learned::Head::kProbabilistic : learned::Head::kPlain;
  recipe.source = SourceOf(spec.target());
  recipe.method = spec.method();
  recipe.method_parameters = {spec.parameters().begin(), spec.parameters().end()};
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  ASSIGN_OR_RETURN(recipe.psf, ReadTrainingPsf(source, *psf));
  const v1::VoxelSize &own = psf->spec().voxel_size(), &asked = spec.voxel_size();
  const auto length = [](double first, double second) { return first > 0 ? first : second; };
  recipe.voxel_um = {length(asked.z_um(), own.z_um()), length(asked.y_um(), own.y_um()),
                     length(asked.x_um(), own.x_um())};
  recipe.kinds.clear();
  for (const int kind : spec.kinds()) recipe.kinds.push_back(static_cast<v1::SpecimenKind>(kind));
  recipe.held_out.clear();
  for (const int kind : spec.held_out()) recipe.held_out.push_back(static_cast<v1::SpecimenKind>(kind));
  recipe.peak_photons_low = spec.least_photons();
  recipe.peak_photons_high = spec.most_photons();
  recipe.background = spec.background_photons();
  recipe.read_noise = spec.read_noise_photons();
  if (spec.target() == v1::DENOISE) {
    recipe.noise_low = spec.least_noise();
    recipe.noise_high = spec.most_noise();
  }
  RETURN_IF_ERROR(AddImages(task, spec, source, recipe));
  recipe.patch = ToShape3(spec.patch());
  recipe.batch = spec.batch();
  recipe.specimens = spec.specimens();
  recipe.validation = spec.validation();
  recipe.steps = spec.steps();
  recipe.parts = spec.parts();
  recipe.learning_rate = spec.learning_rate();
  recipe.patience = spec.patience();
  recipe.seed = spec.seed();
  return recipe;
}

// Empty before the first part.
absl::StatusOr<std::string> StateBefore(const v1::Task& task, const std::string& volume, int64_t t,
                                        VolumeSource& source) {
  if (volume.empty()) return std::string();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* states, FindInput(task, volume));
  return ReadFile(source, *states, t);
}

// Writes the file as the task's only output.
absl::Status WriteFile(const v1::Task& task, std::string_view file, OutputSink& sink, v1::TaskResult& result) {
  if (task.outputs_size() != 1) return absl::InternalError("a task about a model has one output");
  const Box3 box = ToFrameBox(task.outputs(0).box()).box;
  v1::VolumeSpec frame;
  frame.mutable_shape()->set_y(static_cast<uint32_t>(box.shape.y));
  frame.mutable_shape()->set_x(static_cast<uint32_t>(box.shape.x));
  ASSIGN_OR_RETURN(const std::string bytes, ToFrameBytes(file, frame));
  PieceWriter writer(task, sink);
  RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(bytes))));
  return writer.Finish(result);
}

v1::TrainingPoint ToProto(const learned::CurvePoint& point) {
  v1::TrainingPoint shown;
  shown.set_step(static_cast<uint32_t>(point.step));
  shown.set_loss(point.training);
  shown.set_held_back_loss(point.validation);
  return shown;
}

v1::ModelQuality ToProto(const learned::Quality& quality) {
  v1::ModelQuality shown;
  shown.set_kind(quality.kind);
  shown.set_held_out(quality.held_out);
  shown.set_specimens(static_cast<uint32_t>(kJudgedSpecimens));
  shown.set_nrmse(quality.nrmse);
  shown.set_ncc(quality.ncc);
  shown.set_raw_nrmse(quality.raw_nrmse);
  shown.set_raw_ncc(quality.raw_ncc);
  shown.set_classical_nrmse(quality.rl_nrmse);
  shown.set_classical_ncc(quality.rl_ncc);
  return shown;
}

v1::PatchStatistics ToProto(const learned::PatchStatistics& patches) {
  v1::PatchStatistics kept;
  kept.mutable_mean()->Add(patches.mean.begin(), patches.mean.end());
  kept.mutable_deviation()->Add(patches.deviation.begin(), patches.deviation.end());
  kept.set_threshold(patches.threshold);
  return kept;
}

// What the model's file is to tell of its training.
v1::ModelFacts EvidenceOf(const learned::TrainedModel& trained, int64_t steps) {
  v1::ModelFacts evidence;
  v1::TrainingReport& report = *evidence.mutable_training();
  for (const learned::CurvePoint& point : trained.curve) *report.add_points() = ToProto(point);
  report.set_best_step(static_cast<uint32_t>(trained.best_step));
  report.set_ended_early(!trained.curve.empty() && trained.curve.back().step < steps);
  for (const learned::Quality& quality : trained.quality) *evidence.add_quality() = ToProto(quality);
  if (trained.patches.threshold > 0) *evidence.mutable_patches() = ToProto(trained.patches);
  evidence.set_code_version(fmt::format("{}{}", DECONVOY_VERSION, SourceRevision()));
  return evidence;
}

}  // namespace

absl::StatusOr<int64_t> LearningBytes(const v1::Task& task) {
  double values = 0;
  for (const v1::VolumeAccess& input : task.inputs()) {
    const int64_t frame = FrameShape(input.spec()).voxels();
    const int64_t frames =
        CheckByteVolume(input.spec(), "volume").ok() ? 1 : int64_t{input.spec().shape().t()} * input.spec().shape().c();
    values += static_cast<double>(frame) * static_cast<double>(frames);
  }
  if (task.has_check_model()) {
    const auto bytes = static_cast<int64_t>(2 * sizeof(float) * values);
    return task.check_model().spec().format() == v1::TORCHSCRIPT ? bytes + learned::kTrialBytes : bytes;
  }
  const v1::TrainModelSpec& spec = task.has_train() ? task.train().spec() : task.finish_training().spec();
  const learned::NetworkKind* network = learned::FindNetwork(spec.network());
  const Method* method = FindMethod(spec.target() == v1::CLASSICAL ? spec.method() : "rl");
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  // What is not known is found missing when it is trained.
  MethodMemory memory;
  if (method != nullptr) {
    ASSIGN_OR_RETURN(const Parameters parameters,
                     ResolveParameters(method->description(), {spec.parameters().begin(), spec.parameters().end()}));
    memory = MemoryOf(method->description(), parameters);
  }
  const double bytes = TrainingBytes(spec, network == nullptr ? 0 : network->training_bytes_per_voxel, values) +
                       TrainingSceneBytes(spec, FrameShape(psf->spec()), memory);
  return static_cast<int64_t>(std::min(bytes, 1e18));
}

absl::StatusOr<v1::TaskResult> RunTrain(const v1::Task& task, Backend& backend, TaskContext& context) {
  const v1::TrainTask& work = task.train();
  learned::SetThreads(static_cast<int>(backend.threads()));
  ASSIGN_OR_RETURN(const learned::Recipe recipe, RecipeOf(task, work.spec(), context.source()));
  ASSIGN_OR_RETURN(const std::string before,
                   StateBefore(task, work.state_volume(), int64_t{work.part()} - 1, context.source()));
  ContextObserver observer(context, work.first_step(), work.last_step());
  ASSIGN_OR_RETURN(const learned::TrainedPart part,
                   learned::TrainPart(recipe, std::as_bytes(std::span(before)), work.last_step(), backend, observer));
  v1::TaskResult result;
  v1::TrainResult& trained = *result.mutable_train();
  *trained.mutable_point() = ToProto(part.point);
  trained.set_best_step(static_cast<uint32_t>(part.best_step));
  trained.set_ended(part.ended);
  RETURN_IF_ERROR(WriteFile(task, part.state, context.sink(), result));
  return result;
}

absl::StatusOr<v1::TaskResult> RunFinishTraining(const v1::Task& task, Backend& backend, TaskContext& context) {
  const v1::FinishTrainingTask& work = task.finish_training();
  learned::SetThreads(static_cast<int>(backend.threads()));
  ASSIGN_OR_RETURN(const learned::Recipe recipe, RecipeOf(task, work.spec(), context.source()));
  ASSIGN_OR_RETURN(const std::string state, StateBefore(task, work.state_volume(), work.part(), context.source()));
  ContextObserver observer(context, 0, 0);
  ASSIGN_OR_RETURN(const learned::TrainedModel trained, learned::FinishTraining(recipe, std::as_bytes(std::span(state)),
                                                                                kJudgedSpecimens, backend, observer));
  ASSIGN_OR_RETURN(const std::string file, WithEvidence(trained.file, EvidenceOf(trained, recipe.steps)));
  ASSIGN_OR_RETURN(const std::unique_ptr<learned::Model> model, learned::LoadModel(std::as_bytes(std::span(file))));
  v1::TaskResult result;
  ASSIGN_OR_RETURN(*result.mutable_finish_training()->mutable_facts(), FactsOf(file, *model));
  RETURN_IF_ERROR(WriteFile(task, file, context.sink(), result));
  return result;
}

absl::StatusOr<v1::TaskResult> RunCheckModel(const v1::Task& task, Backend& backend, TaskContext& context) {
  learned::SetThreads(static_cast<int>(backend.threads()));
  const v1::CheckModelSpec& spec = task.check_model().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* volume, FindInput(task, spec.model_volume()));
  ASSIGN_OR_RETURN(const std::string file, ReadFile(context.source(), *volume, 0));
  if (spec.format() != v1::TORCHSCRIPT && file.starts_with(kPickle)) {
    return MakeError(
        {.reason = v1::BAD_MODEL, .field = "check_model.model_volume", .remedy = "Give its numbers as SAFETENSORS."},
        "the file is a pickle of torch.save, which may do anything when it is read, and is never read here");
  }
  const auto bytes = std::as_bytes(std::span(file));
  ASSIGN_OR_RETURN(const std::unique_ptr<learned::Model> model,
                   spec.format() == v1::TORCHSCRIPT ? learned::LoadScript(bytes, spec.descriptor_text(), 0,
                                                                          [&context] { return context.cancelled(); })
                                                    : learned::LoadModel(bytes));
  v1::TaskResult result;
  ASSIGN_OR_RETURN(*result.mutable_check_model()->mutable_facts(), FactsOf(file, *model));
  return result;
}

}  // namespace deconvoy::worker
