// The examination of jobs that train, check or apply models.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/examiner.h"
#include "server/jobs/model_check.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {

absl::Status Examiner::CheckTraining(const v1::TrainModelSpec& given) {
  absl::StatusOr<TrainingExamination> training = ExamineTraining(store_, owner_, capabilities_, given);
  if (!training.ok()) RETURN_IF_ERROR(Refuse(training.status()));
  RETURN_IF_ERROR(FindVolume(given.psf_volume(), "train_model.psf_volume", psf_));
  if (!training.ok() || !psf_) return absl::OkStatus();
  const absl::Status suits = CheckTrainingPsf(given, *psf_);
  if (!suits.ok()) return Refuse(suits);
  const absl::Status alike = CheckTrainingVoxels(given, *psf_, training->inputs);
  if (!alike.ok()) return Refuse(alike);
  NoteVoxelSize(psf_->voxel_size(), "PSF", "train_model.psf_volume");
  result.inputs.merge(training->inputs);
  result.training_bytes = static_cast<uint64_t>(training->memory_bytes) +
                          static_cast<uint64_t>(BytesForPsf(capabilities_, training->spec, *psf_));
  *result.spec.mutable_train_model() = std::move(training->spec);
  network_ = std::move(training->network);
  return absl::OkStatus();
}

absl::Status Examiner::CheckModelFile(const v1::CheckModelSpec& given) {
  absl::StatusOr<std::map<std::string, v1::VolumeSpec>> file = ExamineModelFile(store_, owner_, capabilities_, given);
  if (!file.ok()) return Refuse(file.status());
  result.inputs.merge(*file);
  if (given.format() == v1::MODEL_FORMAT_UNSPECIFIED) {
    result.spec.mutable_check_model()->set_format(v1::SAFETENSORS);
  }
  return absl::OkStatus();
}

absl::Status Examiner::TakeModels(ModelUses models) {
  for (const v1::ModelUse& use : models) {
    std::optional<v1::VolumeSpec> file;
    RETURN_IF_ERROR(FindVolume(use.volume(), "deconvolve.models", file));
  }
  result.models = std::move(models);
  return absl::OkStatus();
}

absl::Status Examiner::CheckComparisonOf(v1::DeconvolveSpec& spec) {
  if (spec.compared_tiles() < 0) return absl::OkStatus();
  if (spec.classical_method().empty()) spec.set_classical_method("rl");
  const absl::StatusOr<v1::Method> classical =
      capabilities_.FindMethod(spec.classical_method(), "deconvolve.classical_method");
  if (!classical.ok()) return Refuse(classical.status());
  const absl::Status comparable = CheckComparable(*classical);
  return comparable.ok() ? comparable : Refuse(comparable);
}

absl::Status Examiner::CheckDenoiserOf(const v1::DeconvolveSpec& given, const ModelUses& models,
                                       v1::DeconvolveSpec& spec) {
  const absl::StatusOr<v1::Method> network = capabilities_.FindMethod(kNetworkMethod, "deconvolve.models");
  if (!network.ok()) return Refuse(network.status());
  const absl::Status fit = CheckDenoiser(*network, given, models);
  if (!fit.ok()) return Refuse(fit);
  const absl::Status runs = CheckBackend(given.backend(), *network);
  if (!runs.ok()) return Refuse(runs);
  // The default of what the model takes the place of.
  spec.mutable_parameters()->erase(std::string(kDenoiser));
  Add(v1::INFO, fmt::format("{} takes noise out in each of {} iterations; the time that is told does not count it",
                            models[0].name(), IterationsOf(spec)));
  return TakeModels(models);
}

absl::Status Examiner::CheckModelsOf(const v1::DeconvolveSpec& given, const v1::Method& method,
                                     v1::DeconvolveSpec& spec) {
  absl::StatusOr<ModelUses> models = LookUpModels(store_, owner_, spec);
  if (!models.ok()) return Refuse(models.status());
  if (method.takes_denoiser() && !models->empty()) return CheckDenoiserOf(given, *models, spec);
  const absl::Status fit = CheckModels(method, spec, *models);
  if (!fit.ok()) return Refuse(fit);
  if (models->empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckComparisonOf(spec));
  return TakeModels(*std::move(models));
}

}  // namespace deconvoy::server
