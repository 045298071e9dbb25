#include "server/jobs/tile_planning.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/distillation.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/prepared_psf.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::server {
namespace {

// Transforms per iteration of rl, in whose iterations work is counted.
constexpr double kRlTransforms = 4;

// Transforms of the estimation of a PSF: for each step, and for each round beside its steps.
constexpr int64_t kTransformsPerImageStep = 4, kTransformsPerPsfStep = 5, kTransformsPerRound = 5;

// A PSF as its analysis holds it, per voxel of the larger of both grids (worker/psf/prepare.h).
constexpr int64_t kBytesPerAnalysedPsfVoxel = 13;

// Specimen and image of a simulation; and where a given PSF blurs it, the arrays of the transforms.
constexpr int64_t kBytesPerSimulatedVoxel = 8;
constexpr int64_t kBytesPerBlurredVoxel = 24;

// A stack of beads, smoothed, sharpened, and once more while it is measured.
constexpr int64_t kBytesPerDistilledVoxel = 16;

// Voxels as they are stored and as floats.
int64_t StoredAndFloat(int64_t voxels, v1::VoxelType type) {
  return voxels * (BytesPerVoxel(type) + static_cast<int64_t>(sizeof(float)));
}

int64_t PlaneBytes(const v1::VolumeSpec& volume) {
  const Shape3 frame = FrameOf(volume);
  return StoredAndFloat(frame.y * frame.x, volume.type());
}

// `voxel` of the image. Where the PSF cannot be told at it, the analysis ends before it has more than the PSF.
int64_t AnalysedPsfBytes(const v1::VolumeSpec& psf, const v1::VoxelSize& voxel) {
  const PsfSteps steps = StepsOf(voxel, psf.voxel_size());
  const Shape3 given = FrameOf(psf);
  return kBytesPerAnalysedPsfVoxel * (steps.usable() ? PsfRoom(given, steps) : given).voxels();
}

int64_t SimulationBytes(const v1::SimulateSpec& spec, const v1::VolumeSpec* psf) {
  const Shape3 shape = ToShape3(spec.shape());
  const int64_t images = kBytesPerSimulatedVoxel * shape.voxels();
  if (psf == nullptr) return images;
  const v1::Boundary boundary = spec.periodic() ? v1::PERIODIC : v1::EXTEND;
  const Shape3 given = FrameOf(*psf);
  const Shape3 domain = PaddedShape(shape, given, boundary);
  return images + kBytesPerBlurredVoxel * domain.voxels() + AnalysedPsfBytes(*psf, {});
}

int64_t ProjectionBytes(const v1::ProjectSpec& spec, const v1::VolumeSpec& input) {
  const Shape3 frame = FrameOf(input);
  const int64_t projected = spec.axis() == v1::ProjectSpec::Z   ? frame.y * frame.x
                            : spec.axis() == v1::ProjectSpec::Y ? frame.z * frame.x
                                                                : frame.z * frame.y;
  return PlaneBytes(input) + StoredAndFloat(projected, input.type());
}

absl::StatusOr<v1::Boundary> ResolveBoundary(v1::Boundary asked, const v1::Method& method) {
  const auto& offered = method.boundaries();
  if (offered.empty()) return absl::InternalError(fmt::format("method `{}` names no boundary", method.name()));
  if (asked == v1::BOUNDARY_UNSPECIFIED) return static_cast<v1::Boundary>(offered[0]);
  if (std::find(offered.begin(), offered.end(), asked) != offered.end()) return asked;
  std::vector<std::string> names;
  for (const int boundary : offered) names.push_back(v1::Boundary_Name(boundary));
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.boundary",
                    .remedy = fmt::format("Choose one of: {}.", fmt::join(names, ", "))},
                   fmt::format("`{}` cannot do the boundary {}", method.name(), v1::Boundary_Name(asked)));
}

// What asks for voxels that do not count, and how to leave it out.
std::string MaskingOf(const v1::DeconvolveSpec& spec) {
  return !spec.mask_volume().empty()    ? "mask_volume"
         : spec.saturation_counts() > 0 ? "saturation_counts"
         : spec.correct_motion()        ? "correct_motion"
                                        : "parameters[\"axial_upsample\"]";
}

// `spec` is resolved. Only with EXTEND is it known of single voxels whether they count.
absl::Status CheckMasking(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  if (!HasMask(spec) || spec.boundary() == v1::EXTEND) return absl::OkStatus();
  const std::string field = "deconvolve." + MaskingOf(spec);
  const auto& offered = method.boundaries();
  const bool can = std::find(offered.begin(), offered.end(), v1::EXTEND) != offered.end();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = field,
       .remedy = can ? "Choose the boundary `extend`." : "Choose a method with the boundary `extend`, such as `rl`."},
      fmt::format("`{}` needs the boundary EXTEND, but that of `{}` is {}", field, method.name(),
                  v1::Boundary_Name(spec.boundary())));
}

absl::StatusOr<Parameters> ParametersOf(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  return ResolveParameters(method, {spec.parameters().begin(), spec.parameters().end()});
}

}  // namespace

absl::Status CheckBackend(const std::string& backend, const v1::Method& method) {
  const auto& offered = method.backends();
  if (backend.empty() || std::find(offered.begin(), offered.end(), backend) != offered.end()) return absl::OkStatus();
  return MakeError(
      {.reason = v1::NO_WORKER,
       .field = "deconvolve.backend",
       .remedy = fmt::format("Leave the backend open (`--backend auto`), or start a worker with `{}`.", backend)},
      fmt::format("no worker has offered `{}` on `{}`, only on {}", method.name(), backend, fmt::join(offered, ", ")));
}

Shape3 FrameOf(const v1::VolumeSpec& volume) {
  return {volume.shape().z(), volume.shape().y(), volume.shape().x()};
}

ModelNeeds NeedsOf(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models,
                   const absl::StatusOr<v1::Method>& classical) {
  ModelNeeds needs;
  needs.bytes_per_voxel = ModelBytesPerVoxel(models, classical.ok() ? &*classical : nullptr);
  needs.halo = ModelHalo(models);
  return needs;
}

absl::StatusOr<v1::DeconvolveSpec> ResolveSpec(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  ASSIGN_OR_RETURN(const Parameters parameters, ParametersOf(spec, method));
  ASSIGN_OR_RETURN(const v1::Boundary boundary, ResolveBoundary(spec.boundary(), method));
  RETURN_IF_ERROR(CheckBackend(spec.backend(), method));
  v1::DeconvolveSpec resolved = spec;
  resolved.clear_parameters();
  for (const auto& [name, text] : parameters.texts()) (*resolved.mutable_parameters())[name] = text;
  resolved.set_boundary(boundary);
  if (spec.gain_photons_per_count() == 0) resolved.clear_gain_photons_per_count();
  if (spec.background_case() == v1::DeconvolveSpec::BACKGROUND_NOT_SET) resolved.set_background_auto(true);
  if (spec.psf_centre() == v1::PSF_CENTRE_UNSPECIFIED) resolved.set_psf_centre(v1::AUTO_CENTRE);
  if (spec.psf_energy() == 0) resolved.set_psf_energy(0.999);
  if (spec.output_type() == v1::VOXEL_TYPE_UNSPECIFIED) resolved.set_output_type(v1::F32);
  RETURN_IF_ERROR(CheckMasking(resolved, method));
  RETURN_IF_ERROR(CheckDepths(resolved, method));
  return resolved;
}

Shape3 UsablePsf(const Shape3& psf, const Shape3& frame, v1::Boundary boundary) {
  if (boundary == v1::PERIODIC) return psf;
  return {std::min(psf.z, 2 * frame.z - 1), std::min(psf.y, 2 * frame.y - 1), std::min(psf.x, 2 * frame.x - 1)};
}

namespace {

// What the PSF needs, times what method and boundary make of it, and no less than what models need. A model that takes
// noise out in every iteration adds to what one iteration reaches, and so is scaled like the PSF.
Shape3 HaloOf(const v1::Method& method, v1::Boundary boundary, const PlanInputs& inputs) {
  const double factor = HaloFactor(method.halo_factor(), boundary);
  const Shape3& model = inputs.models.halo;
  if (factor == 1 && model == Shape3{}) return inputs.halo;
  const bool known = !(inputs.halo == Shape3{});
  const Shape3& psf = inputs.psf;
  const Shape3 reach = known ? inputs.halo : Shape3{HaloExtent(psf.z, 0), HaloExtent(psf.y, 0), HaloExtent(psf.x, 0)};
  if (method.takes_denoiser()) {
    return ScaledHalo({reach.z + model.z, reach.y + model.y, reach.x + model.x}, factor);
  }
  const Shape3 halo = ScaledHalo(reach, factor);
  return {std::max(halo.z, model.z), std::max(halo.y, model.y), std::max(halo.x, model.x)};
}

// Tiles beside one another save at most what loading and unloading take, about half of computing: with so many times as
// many voxels to compute nothing is left of it.
constexpr double kMostWorkBeside = 1.5;

double PaddedVoxels(const TilePlan& plan) {
  return static_cast<double>(plan.tiles()) * static_cast<double>(plan.padded.voxels());
}

}  // namespace

absl::StatusOr<TilePlan> PlanJobTiles(const v1::DeconvolveSpec& spec, const v1::Method& method,
                                      const PlanInputs& inputs) {
  ASSIGN_OR_RETURN(const Parameters parameters, ParametersOf(spec, method));
  TilePlanRequest request;
  request.frame = inputs.frame;
  if (!(inputs.region == Box3{{}, inputs.frame})) request.region = inputs.region;
  request.psf = inputs.psf;
  request.halo = HaloOf(method, spec.boundary(), inputs);
  request.boundary = spec.boundary();
  request.memory = MemoryOf(method, parameters, spec, inputs.psfs, inputs.bad_pixels);
  if (method.takes_denoiser() && !spec.models().empty()) {
    AddDenoiserMemory(inputs.models.bytes_per_voxel, inputs.models.halo, request.memory);
  } else {
    request.memory.millibytes_per_padded_voxel += static_cast<int64_t>(std::ceil(1000 * inputs.models.bytes_per_voxel));
  }
  request.fixed_bytes = GivenPsfBytes(inputs.given_psf);
  request.costs = inputs.machine.fft_costs;
  request.core = ToShape3(spec.tile().core());
  request.whole = spec.tile().whole();
  request.uncut = method.halo_factor() >= kWholeFrames;
  request.workers = inputs.workers;
  request.frames = inputs.frames;
  request.growing = inputs.growing;
  // Tiles that share the memory where there can be such, else one that has all of it. With models each is alone.
  const int64_t all = inputs.machine.memory_budget_bytes, share = inputs.machine.tile_memory_bytes;
  if (share > 0 && share < all && spec.models().empty()) {
    request.memory_budget_bytes = share;
    request.beside = true;
    absl::StatusOr<TilePlan> beside = PlanTiles(request);
    if (!beside.ok() && ReasonOf(beside.status()) != v1::OUT_OF_MEMORY) return beside;
    request.memory_budget_bytes = all;
    request.beside = false;
    absl::StatusOr<TilePlan> alone = PlanTiles(request);
    if (beside.ok() && (!alone.ok() || PaddedVoxels(*beside) <= kMostWorkBeside * PaddedVoxels(*alone))) return beside;
    return alone;
  }
  request.memory_budget_bytes = all;
  return PlanTiles(request);
}

int64_t WholeTaskBytes(const v1::JobSpec& spec, const v1::VolumeSpec* input, const v1::VolumeSpec* psf) {
  if (spec.has_simulate()) return SimulationBytes(spec.simulate(), psf);
  if (spec.has_model_psf()) return ToShape3(spec.model_psf().shape()).voxels() * static_cast<int64_t>(sizeof(float));
  if (spec.has_train_model() || spec.has_check_model()) return psf == nullptr ? 0 : AnalysedPsfBytes(*psf, {});
  if (spec.has_check_psf()) return psf == nullptr ? 0 : PlaneBytes(*psf) + AnalysedPsfBytes(*psf, {});
  if (spec.has_prepare_psf()) {
    return psf == nullptr ? 0 : PlaneBytes(*psf) + PreparedPsfBytes(spec.prepare_psf(), FrameOf(*psf));
  }
  if (input == nullptr) return 0;
  if (spec.has_project()) return ProjectionBytes(spec.project(), *input);
  if (spec.has_export_file()) return PlaneBytes(*input);
  if (spec.has_distill()) {
    return PlaneBytes(*input) + kBytesPerDistilledVoxel * FrameOf(*input).voxels() +
           BeadBytes(ToShape3(spec.distill().shape()));
  }
  if (psf == nullptr) return 0;
  const v1::VolumeSpec grid = OnResultGrid(spec.deconvolve(), *input);
  return std::max(PlaneBytes(*input), PlaneBytes(*psf) + AnalysedPsfBytes(*psf, grid.voxel_size()));
}

namespace {

// A whole number among the parameters; 1 where there is none, the most iterations there may be where that is not
// decided.
int64_t CountOf(const v1::DeconvolveSpec& spec, std::string_view parameter) {
  const auto found = spec.parameters().find(std::string(parameter));
  if (found != spec.parameters().end() && found->second == kAutomatic) return kMostCalibratedIterations;
  int64_t count = 1;
  if (found != spec.parameters().end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), count);
  }
  return std::max<int64_t>(count, 1);
}

}  // namespace

int64_t IterationsOf(const v1::DeconvolveSpec& spec) {
  return CountOf(spec, kIterations);
}

double PsfEstimationWork(const v1::DeconvolveSpec& spec, const v1::Method& method, const TilePlan& plan,
                         int64_t channels) {
  if (!method.estimates_psf()) return 0;
  const bool given =
      spec.parameters().contains(std::string(kImageSteps)) && spec.parameters().at(std::string(kImageSteps)) != "0";
  const int64_t usual = FitsPupil(spec, method) ? kPupilImageSteps : kFreeImageSteps;
  const int64_t image_steps = given ? CountOf(spec, kImageSteps) : usual;
  const int64_t transforms =
      kTransformsPerRound + kTransformsPerImageStep * image_steps + kTransformsPerPsfStep * CountOf(spec, kPsfSteps);
  return static_cast<double>(plan.padded.voxels()) * static_cast<double>(channels * CountOf(spec, kRounds)) *
         static_cast<double>(transforms) / kRlTransforms;
}

double EstimateWork(const v1::DeconvolveSpec& spec, const v1::Method& method, const TilePlan& plan, int64_t frames,
                    int64_t psfs) {
  const double voxels = static_cast<double>(plan.padded.voxels()) * static_cast<double>(plan.tiles() * frames * psfs);
  return voxels * static_cast<double>(IterationsOf(spec)) * method.transforms_per_iteration() / kRlTransforms;
}

}  // namespace deconvoy::server
