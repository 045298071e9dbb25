// The examination of jobs that train, check or apply models.
#include <utility>

#include "proto/contract/status_macros.h"
#include "server/jobs/examiner.h"
#include "server/jobs/model_check.h"

namespace deconvoy::server {

absl::Status Examiner::CheckTraining(const v1::TrainModelSpec& given) {
  absl::StatusOr<TrainingExamination> training = ExamineTraining(store_, owner_, capabilities_, given);
  if (!training.ok()) RETURN_IF_ERROR(Refuse(training.status()));
  RETURN_IF_ERROR(FindVolume(given.psf_volume(), "train_model.psf_volume", psf_));
  if (!training.ok() || !psf_) return absl::OkStatus();
  const absl::Status suits = CheckTrainingPsf(given, *psf_);
  if (!suits.ok()) return Refuse(suits);
  NoteVoxelSize(psf_->voxel_size(), "PSF", "train_model.psf_volume");
  *result.spec.mutable_train_model() = std::move(training->spec);
  result.inputs.merge(training->inputs);
  result.training_bytes = static_cast<uint64_t>(training->memory_bytes);
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

absl::Status Examiner::CheckModelsOf(v1::DeconvolveSpec& spec, const v1::Method& method) {
  absl::StatusOr<ModelUses> models = LookUpModels(store_, owner_, spec);
  if (!models.ok()) return Refuse(models.status());
  const absl::Status fit = CheckModels(method, spec, *models);
  if (!fit.ok()) return Refuse(fit);
  if (spec.models().empty()) return absl::OkStatus();
  if (spec.classical_method().empty()) spec.set_classical_method("rl");
  const absl::StatusOr<v1::Method> classical =
      capabilities_.FindMethod(spec.classical_method(), "deconvolve.classical_method");
  if (!classical.ok()) return Refuse(classical.status());
  const absl::Status comparable = CheckComparable(*classical);
  if (!comparable.ok()) return Refuse(comparable);
  for (const v1::ModelUse& use : *models) {
    std::optional<v1::VolumeSpec> file;
    RETURN_IF_ERROR(FindVolume(use.volume(), "deconvolve.models", file));
  }
  result.models = *std::move(models);
  return absl::OkStatus();
}

}  // namespace deconvoy::server
