#include "proto/contract/outputs.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "proto/contract/byte_volume.h"
#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/prepared_psf.h"
#include "proto/contract/simulation.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

absl::Status MissingVolume(std::string_view field) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = "Name a volume."},
                   fmt::format("`{}` names no volume", field));
}

// "`base` (role)", shortened at the end of a character where it would be too long.
std::string DisplayName(std::string_view base, std::string_view role) {
  const std::string suffix = fmt::format(" ({})", role);
  if (base.empty()) return std::string(role);
  size_t room = limits::kDisplayNameBytes - suffix.size();
  if (base.size() > room) {
    while (room > 0 && (static_cast<unsigned char>(base[room]) & 0xC0U) == 0x80U) --room;
    base = base.substr(0, room);
  }
  return std::string(base) + suffix;
}

std::string_view BaseName(const v1::JobSpec& job, const v1::VolumeSpec* input) {
  if (input != nullptr && !input->display_name().empty()) return input->display_name();
  return job.display_name();
}

PlannedOutput Output(std::string_view role, v1::VolumeSpec spec, std::string_view base) {
  spec.set_display_name(DisplayName(base, role));
  spec.clear_digest();
  return {.role = std::string(role), .spec = std::move(spec)};
}

// Like the given one, for each channel of the input.
PlannedOutput EstimatedPsf(const v1::VolumeSpec& given, const v1::VolumeSpec& input, std::string_view base) {
  v1::VolumeSpec psf;
  *psf.mutable_shape() = given.shape();
  psf.mutable_shape()->set_t(1);
  psf.mutable_shape()->set_c(input.shape().c());
  *psf.mutable_voxel_size() = given.voxel_size();
  *psf.mutable_channels() = input.channels();
  psf.set_type(v1::F32);
  return Output("psf", std::move(psf), base);
}

absl::StatusOr<std::vector<PlannedOutput>> PlanDeconvolve(const v1::JobSpec& job, const v1::VolumeSpec* input,
                                                          const v1::VolumeSpec* psf, const v1::Method* method) {
  if (input == nullptr) return MissingVolume("deconvolve.input_volume");
  RETURN_IF_ERROR(CheckRegion(job.deconvolve(), *input));
  PlannedOutput estimate = Output("estimate", ResultVolume(job.deconvolve(), *input), BaseName(job, input));
  if (method != nullptr && method->joins_channels()) {
    estimate.spec.mutable_shape()->set_c(1);
    estimate.spec.clear_channels();
  }
  const v1::VoxelType asked = job.deconvolve().output_type();
  estimate.spec.set_type(asked == v1::VOXEL_TYPE_UNSPECIFIED ? v1::F32 : asked);
  std::vector outputs{std::move(estimate)};
  if (job.deconvolve().residual()) {
    PlannedOutput residual = Output("residual", ResultVolume(job.deconvolve(), *input), BaseName(job, input));
    residual.spec.set_type(v1::F32);
    outputs.push_back(std::move(residual));
  }
  if (job.deconvolve().spread()) {
    PlannedOutput spread = Output(kSpreadRole, outputs.front().spec, BaseName(job, input));
    spread.spec.set_type(v1::F32);
    outputs.push_back(std::move(spread));
  }
  if (method != nullptr && method->estimates_psf()) {
    if (psf == nullptr) return MissingVolume("deconvolve.psf_volume");
    outputs.push_back(EstimatedPsf(*psf, *input, BaseName(job, input)));
  }
  return outputs;
}

absl::StatusOr<v1::VolumeSpec> SimulatedPsf(const v1::SimulateSpec& simulate, const v1::VolumeSpec& truth,
                                            const v1::VolumeSpec* given) {
  v1::VolumeSpec psf;
  *psf.mutable_voxel_size() = simulate.voxel_size();
  psf.set_type(v1::F32);
  if (simulate.psf_volume().empty()) {
    ASSIGN_OR_RETURN(const Shape3 shape, GaussianPsfShape(simulate.psf_fwhm(), simulate.voxel_size()));
    *psf.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
    return psf;
  }
  if (given == nullptr) return MissingVolume("simulate.psf_volume");
  RETURN_IF_ERROR(ValidatePair(truth, *given, nullptr));
  *psf.mutable_shape() = given->shape();
  *psf.mutable_voxel_size() = given->voxel_size();
  return psf;
}

absl::StatusOr<std::vector<PlannedOutput>> PlanSimulate(const v1::JobSpec& job, const v1::VolumeSpec* given_psf) {
  const v1::SimulateSpec& simulate = job.simulate();
  v1::VolumeSpec truth;
  const Shape3 shape = ToShape3(simulate.shape());
  *truth.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
  *truth.mutable_voxel_size() = simulate.voxel_size();
  truth.set_type(v1::F32);
  ASSIGN_OR_RETURN(v1::VolumeSpec psf, SimulatedPsf(simulate, truth, given_psf));
  v1::VolumeSpec raw = truth;
  raw.set_type(simulate.raw_type() == v1::VOXEL_TYPE_UNSPECIFIED ? v1::U16 : simulate.raw_type());
  const std::string_view base = BaseName(job, nullptr);
  return std::vector{Output("truth", std::move(truth), base), Output("psf", std::move(psf), base),
                     Output("raw", std::move(raw), base)};
}

absl::StatusOr<std::vector<PlannedOutput>> PlanProject(const v1::JobSpec& job, const v1::VolumeSpec* input) {
  if (input == nullptr) return MissingVolume("project.input_volume");
  PlannedOutput projection = Output("projection", *input, BaseName(job, input));
  v1::Shape5& shape = *projection.spec.mutable_shape();
  v1::VoxelSize& size = *projection.spec.mutable_voxel_size();
  switch (job.project().axis()) {
    case v1::ProjectSpec::Z:
      shape.set_z(1);
      size.set_z_um(0);
      break;
    case v1::ProjectSpec::Y:
      shape.set_y(1);
      size.set_y_um(0);
      break;
    case v1::ProjectSpec::X:
      shape.set_x(1);
      size.set_x_um(0);
      break;
    default:
      return MakeError({.reason = v1::INVALID_FIELD, .field = "project.axis", .remedy = "Give Z, Y or X."},
                       fmt::format("`project.axis` is {}, which is no axis", static_cast<int>(job.project().axis())));
  }
  return std::vector{std::move(projection)};
}

std::vector<PlannedOutput> PlanModelPsf(const v1::JobSpec& job) {
  v1::VolumeSpec psf;
  const Shape3 shape = ToShape3(job.model_psf().shape());
  *psf.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
  *psf.mutable_voxel_size() = job.model_psf().voxel_size();
  psf.set_type(v1::F32);
  return {Output("psf", std::move(psf), BaseName(job, nullptr))};
}

absl::StatusOr<std::vector<PlannedOutput>> PlanPreparePsf(const v1::JobSpec& job, const v1::VolumeSpec* given) {
  if (given == nullptr) return MissingVolume("prepare_psf.psf_volume");
  RETURN_IF_ERROR(ValidatePreparedPsf(job.prepare_psf(), *given));
  PlannedOutput psf = Output("psf", PreparedPsfVolume(job.prepare_psf(), *given), BaseName(job, given));
  RETURN_IF_ERROR(AddContext(ValidateVolumeSpec(psf.spec), "output `psf`"));
  return std::vector{std::move(psf)};
}

absl::StatusOr<std::vector<PlannedOutput>> PlanDistill(const v1::JobSpec& job, const v1::VolumeSpec* input) {
  if (input == nullptr) return MissingVolume("distill.input_volume");
  const v1::DistillSpec& distill = job.distill();
  const Shape3 shape = ToShape3(distill.shape());
  RETURN_IF_ERROR(ValidateBeads(distill, *input, *input));
  v1::VolumeSpec psf;
  *psf.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
  *psf.mutable_voxel_size() = input->voxel_size();
  psf.set_type(v1::F32);
  return std::vector{Output("psf", std::move(psf), BaseName(job, input))};
}

absl::StatusOr<std::vector<PlannedOutput>> PlanTraining(const v1::JobSpec& job, const v1::VolumeSpec* psf,
                                                        const v1::NetworkDescription* network) {
  if (network == nullptr) return absl::InternalError("a training is planned without its network");
  // No more than the whole PSF is inside, each extent odd.
  const bool has_psf = network->knows_psf() && psf != nullptr;
  const int64_t psf_bytes = has_psf ? (int64_t{psf->shape().z()} + 1) * (int64_t{psf->shape().y()} + 1) *
                                          (int64_t{psf->shape().x()} + 1) * static_cast<int64_t>(sizeof(float))
                                    : 0;
  const int64_t file = static_cast<int64_t>(network->model_bytes()) + psf_bytes;
  const int64_t state = static_cast<int64_t>(network->state_bytes()) + 2 * psf_bytes;  // now, and at its best
  if (file < 0 || file > limits::kModelBytes || state < 0 || state > limits::kModelStateBytes) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "train_model.network",
                      .remedy = has_psf ? "Crop the PSF, or choose a smaller network." : "Choose a smaller network.",
                      .metadata = {{"limit", fmt::to_string(limits::kModelBytes)}}},
                     fmt::format("the network `{}`{} is too large: a file of {} bytes, a state of {}", network->name(),
                                 has_psf ? " with its PSF" : "", file, state));
  }
  const std::string_view base = job.display_name();
  return std::vector{Output(kModelRole, ByteVolume(file), base),
                     Output(kTrainingRole, ByteVolume(state, WithDefaults(job.train_model()).parts()), base)};
}

absl::StatusOr<std::vector<PlannedOutput>> Plan(const v1::JobSpec& job, const v1::VolumeSpec* input,
                                                const v1::VolumeSpec* psf, const v1::Method* method,
                                                const v1::NetworkDescription* network) {
  switch (job.work_case()) {
    case v1::JobSpec::kDeconvolve:
      return PlanDeconvolve(job, input, psf, method);
    case v1::JobSpec::kSimulate:
      return PlanSimulate(job, psf);
    case v1::JobSpec::kProject:
      return PlanProject(job, input);
    case v1::JobSpec::kModelPsf:
      return PlanModelPsf(job);
    case v1::JobSpec::kDistill:
      return PlanDistill(job, input);
    case v1::JobSpec::kCheckPsf:
    case v1::JobSpec::kImportFile:
    case v1::JobSpec::kExportFile:
    case v1::JobSpec::kCheckModel:
      return std::vector<PlannedOutput>();
    case v1::JobSpec::kTrainModel:
      return PlanTraining(job, psf, network);
    case v1::JobSpec::kPreparePsf:
      return PlanPreparePsf(job, psf);
    default:
      return MakeError({.reason = v1::INVALID_FIELD, .remedy = kSayWhatToDo}, "the job does not say what to do");
  }
}

}  // namespace

absl::StatusOr<std::vector<PlannedOutput>> PlanOutputs(const v1::JobSpec& spec, const v1::VolumeSpec* input,
                                                       const v1::VolumeSpec* psf, const v1::Method* method,
                                                       const v1::NetworkDescription* network) {
  ASSIGN_OR_RETURN(std::vector<PlannedOutput> outputs, Plan(spec, input, psf, method, network));
  for (const PlannedOutput& output : outputs) {
    const absl::Status fits = ToShape(output.spec.shape(), output.spec.type(), "shape").status();
    RETURN_IF_ERROR(AddContext(fits, fmt::format("output `{}`", output.role)));
  }
  return outputs;
}

}  // namespace deconvoy
