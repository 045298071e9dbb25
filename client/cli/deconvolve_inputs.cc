#include "client/cli/deconvolve_inputs.h"
#include "client/cli/server_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "client/cli/camera_offset.h"
#include "client/cli/methods.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_from_optics.h"
#include "client/cli/psf_library.h"
#include "client/cli/psf_names.h"
#include "client/cli/values.h"
#include "proto/contract/companion_volumes.h"
#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/optics.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// A worker program describes itself without a server, whose worker may still be starting.
absl::StatusOr<std::vector<v1::Method>> OfferedMethods(const Session& session) {
  return session.local() ? InstalledMethods() : session.client().ListMethods();
}

std::string BoundaryName(int boundary) {
  return Lower(v1::Boundary_Name(static_cast<v1::Boundary>(boundary)));
}

absl::StatusOr<v1::Boundary> BoundaryOf(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  const auto& offered = method.boundaries();
  if (spec.boundary() == v1::BOUNDARY_UNSPECIFIED)
    return offered.empty() ? v1::EXTEND : static_cast<v1::Boundary>(offered[0]);
  if (std::find(offered.begin(), offered.end(), spec.boundary()) != offered.end()) return spec.boundary();
  std::vector<std::string> names;
  for (const int boundary : offered) names.push_back(BoundaryName(boundary));
  return UsageError(
      fmt::format("the method '{}' cannot do --boundary {}", method.name(), BoundaryName(spec.boundary())),
      fmt::format("Choose one of: {}.", fmt::join(names, ", ")));
}

absl::Status CheckMasking(const v1::DeconvolveSpec& spec, bool has_mask, v1::Boundary boundary) {
  if (boundary == v1::EXTEND || !(has_mask || HasMask(spec))) return absl::OkStatus();
  return UsageError(fmt::format("{} needs --boundary extend, not {}",
                                has_mask                       ? "--mask"
                                : spec.saturation_counts() > 0 ? "--saturation"
                                : spec.correct_motion()        ? "--motion correct"
                                                               : "axial_upsample",
                                BoundaryName(boundary)),
                    "Leave it out, or choose a method that can do --boundary extend, such as rl.");
}

absl::Status CheckBackend(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  const auto& offered = method.backends();
  const bool known = std::find(offered.begin(), offered.end(), spec.backend()) != offered.end();
  if (spec.backend().empty() || known) return absl::OkStatus();
  return MakeError(
      {.reason = v1::NO_WORKER,
       .field = "deconvolve.backend",
       .remedy = fmt::format("Leave --backend out, or use a server that has a worker with {}.", spec.backend())},
      fmt::format("no worker offers '{}' on {}, only on {}", method.name(), spec.backend(), fmt::join(offered, ", ")));
}

// `result`: its frames are what is cut.
absl::Status CheckTiles(const v1::DeconvolveSpec& spec, v1::Boundary boundary, const v1::Shape5& result) {
  if (!spec.tile().has_core()) return absl::OkStatus();
  TilePlanRequest request;
  request.frame = {result.z(), result.y(), result.x()};
  request.psf = {1, 1, 1};
  request.boundary = boundary;
  request.core = ToShape3(spec.tile().core());
  ASSIGN_OR_RETURN(const TilePlan plan, PlanTiles(request));
  const int64_t frames = int64_t{result.t()} * result.c();
  if (plan.tiles() <= (limits::kTasksPerJob - 1) / frames) return absl::OkStatus();
  return MakeError(
      {.reason = v1::LIMIT_EXCEEDED,
       .field = "deconvolve.tile.core",
       .remedy = "Give larger tiles with --tile, or leave it out."},
      fmt::format("{} frames of {} tiles each are more than {} tasks", frames, plan.tiles(), limits::kTasksPerJob));
}

absl::Status CheckCentre(const v1::DeconvolveSpec& spec, const v1::Shape5& psf) {
  const Shape3 shape{psf.z(), psf.y(), psf.x()};
  const Voxel centre = ToVoxel(spec.psf_centre_voxel());
  if (spec.psf_centre() != v1::GIVEN || Box3{{}, shape}.Contains({centre, {1, 1, 1}})) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.psf_centre_voxel",
                    .remedy = fmt::format("Give a voxel of the PSF, from 0,0,0 to {},{},{}.", shape.z - 1, shape.y - 1,
                                          shape.x - 1)},
                   fmt::format("--psf-centre {},{},{} lies outside the PSF of {} x {} x {} voxels", centre.z, centre.y,
                               centre.x, shape.z, shape.y, shape.x));
}

}  // namespace

void AddInputOptions(CLI::App& verb, InputOptions& options) {
  verb.add_option("INPUT", options.input, "Stack to deconvolve: TIFF, OME-TIFF or BigTIFF of u8, u16 or f32")
      ->type_name("FILE")
      ->required();
  AddCompanionOptions(verb, options);
}

void AddCompanionOptions(CLI::App& verb, InputOptions& options) {
  verb.add_option(
          "--psf", options.psf,
          "Point spread function as a stack, with one channel for all or one per channel of INPUT, or psfs/NAME "
          "or psfs/NAME@N of the server's library [computed from the optics that the file of INPUT and "
          "--optics tell]")
      ->type_name("FILE");
  verb.add_option(
          "--mask", options.mask,
          "Voxels of INPUT that do not count, such as dead ones: where this stack of u8 is 0. It has the planes, "
          "rows and columns of INPUT, and one channel or as many")
      ->type_name("FILE");
  verb.add_option("--flat-field", options.flat_field,
                  "How much of the light each pixel of the camera sees, as one plane without offset, with one channel "
                  "or as many as INPUT; the light is brought to that of an even field")
      ->type_name("FILE");
  AddVoxelSize(verb, "--voxel-um", options.voxel_um,
               "Voxel size of INPUT in um, where the file has none or a wrong one");
  AddVoxelSize(verb, "--psf-voxel-um", options.psf_voxel_um, "Voxel size of the PSF in um, likewise");
  AddOpticsOptions(verb, options.optics);
  AddPsfModelOptions(verb, options.psf_model);
}

v1::VolumeSpec DeconvolveInputs::PsfSpec() const {
  if (kept) return kept->spec();
  return psf ? psf->spec : PsfVolumeSpec(psf_models);
}

namespace {

absl::Status OpenPsf(const InputOptions& options, ImageOptics optics, Progress& progress, DeconvolveInputs& inputs) {
  if (!IsLibraryPsf(options.psf)) {
    ASSIGN_OR_RETURN(inputs.psf, OpenInput(options.psf, options.psf_voxel_um, progress));
  } else if (options.psf_voxel_um) {
    return UsageError("--psf-voxel-um is for a file", "Leave it out: a PSF of the library has its voxel size.");
  } else {
    inputs.library_psf = options.psf;
  }
  ASSIGN_OR_RETURN(inputs.optics, OpticsToCompare(std::move(optics), inputs.image.spec.display_name(), options.optics));
  if (!inputs.optics) return absl::OkStatus();
  const OpticsList list(inputs.optics->channels.begin(), inputs.optics->channels.end());
  const absl::Status valid = ValidateOptics(list, inputs.optics->microscopy, "deconvolve");
  if (options.optics.tell()) RETURN_IF_ERROR(WithExitCode(valid, ExitCode::kUsage));
  if (!valid.ok()) inputs.optics.reset();
  return absl::OkStatus();
}

absl::Status CheckModel(const InputOptions& options) {
  if (options.psf.empty() || !options.psf_model.given()) return absl::OkStatus();
  return UsageError(fmt::format("{} is for a PSF that is computed from optics, but --psf gives one",
                                options.psf_model.model.empty() ? "--zernike" : "--model"),
                    "Leave it out, or leave --psf out.");
}

// The aberrations of the PSF are the microscope's, the widths of a Gaussian are not.
absl::Status PlanPsf(const InputOptions& options, const v1::DeconvolveSpec& deconvolve, ImageOptics optics,
                     Progress& progress, DeconvolveInputs& inputs) {
  v1::ModelPsfSpec light;
  RETURN_IF_ERROR(SetPsfModel(options.psf_model, light));
  for (v1::Optics& channel : optics.channels) *channel.mutable_zernike() = light.optics().zernike();
  const v1::VolumeSpec grid = OnResultGrid(deconvolve, inputs.image.spec);
  const absl::Status suffices = CheckSuffices(optics, grid.display_name(), options.optics.assume);
  RETURN_IF_ERROR(WithExitCode(AddContext(suffices, "there is no --psf"), ExitCode::kUsage));
  const auto models = PsfSpecsFor(optics, grid, light.model());
  RETURN_IF_ERROR(WithExitCode(models.status(), ExitCode::kUsage));
  inputs.psf_models = *models;
  inputs.optics = optics;
  for (v1::Optics& channel : inputs.optics->channels) {
    channel.clear_fwhm_um();
    channel.clear_fwhm_z_um();
  }
  progress.Say({.message = fmt::format("there is no --psf: it is computed from {}, with the model {}",
                                       fmt::join(optics.used, ", "), PsfModelName(light.model())),
                .severity = optics.complete() ? "note" : "warning",
                .remedy = optics.complete() ? "" : "Give what is assumed with --optics, or a PSF with --psf."});
  return absl::OkStatus();
}

absl::Status FindKept(const Session& session, const v1::DeconvolveSpec& deconvolve, const std::stop_token& stop,
                      DeconvolveInputs& inputs) {
  if (inputs.library_psf.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(inputs.kept, FindLibraryPsf(session, inputs.library_psf, stop));
  return ValidatePsf(deconvolve, inputs.image.spec, inputs.PsfSpec(), nullptr);
}

// That of a camera is taken.
void FindOffset(const imageio::Acquisition& acquisition, const v1::DeconvolveSpec& deconvolve, Progress& progress,
                DeconvolveInputs& inputs) {
  const auto offset = OffsetOf(acquisition, inputs.image.spec.shape().c());
  if (!offset || deconvolve.has_offset_counts()) return;
  if (offset->counts) inputs.offset_counts = offset->value;
  progress.Say(
      {.message = offset->counts
                      ? fmt::format("there is no --offset: it is {:g} counts, the camera's (file)", offset->value)
                      : fmt::format("the file tells an offset of {:g} of the detector, in a unit that it leaves "
                                    "open: give it with --offset if these are counts",
                                    offset->value),
       .severity = "note",
       .remedy = ""});
}

// Uploads an image, whose volume is a leftover unless it was there before.
absl::StatusOr<std::string> Bring(const Session& session, InputImage& image, bool kept, Leftovers& leftovers,
                                  Progress& progress, const std::stop_token& stop) {
  if (kept) {
    ASSIGN_OR_RETURN(Client::Uploaded uploaded, UploadImageOnce(session.client(), image, progress, stop));
    if (uploaded.created) leftovers.AddVolume(uploaded.volume);
    return std::move(uploaded.volume);
  }
  ASSIGN_OR_RETURN(std::string volume, UploadImage(session.client(), image, progress, stop));
  leftovers.AddVolume(volume);
  return volume;
}

// The PSF's volume on the server, or its name in the library.
absl::StatusOr<std::string> BringPsf(Session& session, DeconvolveInputs& inputs, Leftovers& leftovers,
                                     Progress& progress, const std::stop_token& stop) {
  if (inputs.kept) return inputs.kept->name();
  if (!inputs.psf) return ComputePsf(session, inputs.psf_models, leftovers, progress, stop);
  return Bring(session, *inputs.psf, inputs.kept_volumes, leftovers, progress, stop);
}

}  // namespace

absl::StatusOr<DeconvolveInputs> OpenInputs(const InputOptions& options, const v1::DeconvolveSpec& deconvolve,
                                            Progress& progress) {
  RETURN_IF_ERROR(CheckModel(options));
  if (IsServerFile(options.input)) {
    return UsageError("a file of the server can be submitted only: " + Printable(options.input),
                      "Use `deconvoy submit`, and then `deconvoy fetch` or `deconvoy volumes export`.");
  }
  ASSIGN_OR_RETURN(InputImage image, OpenInput(options.input, options.voxel_um, progress));
  RETURN_IF_ERROR(CheckFrameCount(deconvolve, image.spec));
  const imageio::Acquisition acquisition = image.reader->acquisition();
  return OpenInputsOf(std::move(image), acquisition, options, deconvolve, progress);
}

absl::StatusOr<DeconvolveInputs> OpenInputsOf(InputImage image, const imageio::Acquisition& acquisition,
                                              const InputOptions& options, const v1::DeconvolveSpec& deconvolve,
                                              Progress& progress) {
  RETURN_IF_ERROR(CheckModel(options));
  DeconvolveInputs inputs;
  inputs.image = std::move(image);
  ASSIGN_OR_RETURN(const ImageOptics optics, FindOptics(inputs.image.spec, acquisition, options.optics));
  if (options.psf.empty()) {
    RETURN_IF_ERROR(PlanPsf(options, deconvolve, optics, progress, inputs));
  } else {
    RETURN_IF_ERROR(OpenPsf(options, optics, progress, inputs));
  }
  if (inputs.library_psf.empty())
    RETURN_IF_ERROR(ValidatePsf(deconvolve, inputs.image.spec, inputs.PsfSpec(), nullptr));
  FindOffset(acquisition, deconvolve, progress, inputs);
  if (!options.mask.empty()) {
    ASSIGN_OR_RETURN(inputs.mask, OpenInput(options.mask, std::nullopt, progress));
    RETURN_IF_ERROR(ValidateMask(inputs.image.spec, inputs.mask->spec));
  }
  if (!options.flat_field.empty()) {
    ASSIGN_OR_RETURN(inputs.flat_field, OpenInput(options.flat_field, std::nullopt, progress));
    RETURN_IF_ERROR(ValidateFlatField(inputs.image.spec, inputs.flat_field->spec));
  }
  return inputs;
}

v1::VolumeSpec ResultSpec(const DeconvolveInputs& inputs, const v1::DeconvolveSpec& deconvolve) {
  v1::VolumeSpec result = ResultVolume(deconvolve, inputs.image.spec);
  if (inputs.method && inputs.method->joins_channels()) {
    result.mutable_shape()->set_c(1);
    result.clear_channels();
  }
  if (deconvolve.output_type() != v1::VOXEL_TYPE_UNSPECIFIED) result.set_type(deconvolve.output_type());
  return result;
}

namespace {

// Refuses what the server would refuse without having seen a voxel: parameters, boundary, tiles, the PSF's centre,
// PSFs of views and depths. Memory and room are the server's to judge.
absl::Status CheckRequest(const v1::DeconvolveSpec& deconvolve, const DeconvolveInputs& inputs,
                          const v1::Method& method) {
  const auto& parameters = deconvolve.parameters();
  const absl::Status resolved = ResolveParameters(method, {parameters.begin(), parameters.end()}).status();
  RETURN_IF_ERROR(WithExitCode(resolved, ExitCode::kUsage));
  ASSIGN_OR_RETURN(const v1::Boundary boundary, BoundaryOf(deconvolve, method));
  RETURN_IF_ERROR(CheckMasking(deconvolve, inputs.mask.has_value(), boundary));
  RETURN_IF_ERROR(CheckDepths(deconvolve, method));
  RETURN_IF_ERROR(CheckViews(method, inputs.image.spec, inputs.PsfSpec()));
  RETURN_IF_ERROR(CheckResidual(deconvolve, method));
  RETURN_IF_ERROR(CheckPlaneBackgrounds(deconvolve, inputs.image.spec));
  RETURN_IF_ERROR(CheckTiles(deconvolve, boundary, ResultSpec(inputs, deconvolve).shape()));
  return CheckCentre(deconvolve, inputs.PsfSpec().shape());
}

}  // namespace

absl::Status CheckWithServer(const Session& session, const v1::DeconvolveSpec& deconvolve, const std::stop_token& stop,
                             DeconvolveInputs& inputs) {
  RETURN_IF_ERROR(FindKept(session, deconvolve, stop, inputs));
  RETURN_IF_ERROR(CheckNamedModels(session, deconvolve, inputs.models, stop));
  ASSIGN_OR_RETURN(const auto methods, OfferedMethods(session));
  if (methods.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(inputs.method, FindMethod(methods, deconvolve.method()));
  // A local server starts the worker that is asked for; what is installed tells of processors only.
  if (!session.local()) RETURN_IF_ERROR(CheckBackend(deconvolve, *inputs.method));
  RETURN_IF_ERROR(CheckTakesModels(deconvolve, *inputs.method, methods));
  return CheckRequest(deconvolve, inputs, *inputs.method);
}

absl::StatusOr<v1::JobSpec> UploadInputs(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                         Leftovers& leftovers, Progress& progress, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(v1::JobSpec spec,
                   UploadCompanions(session, inputs, std::move(deconvolve), leftovers, progress, stop));
  ASSIGN_OR_RETURN(*spec.mutable_deconvolve()->mutable_input_volume(),
                   Bring(session, inputs.image, inputs.kept_volumes, leftovers, progress, stop));
  return spec;
}

absl::StatusOr<v1::JobSpec> UploadCompanions(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                             Leftovers& leftovers, Progress& progress, const std::stop_token& stop) {
  RETURN_IF_ERROR(BringModels(session, inputs.models, inputs.models_stay, deconvolve, leftovers, progress, stop));
  ASSIGN_OR_RETURN(const std::string psf, BringPsf(session, inputs, leftovers, progress, stop));
  const auto bring = [&](InputImage& file) {
    return Bring(session, file, inputs.kept_volumes, leftovers, progress, stop);
  };
  if (inputs.mask) {
    ASSIGN_OR_RETURN(*deconvolve.mutable_mask_volume(), bring(*inputs.mask));
  }
  if (inputs.flat_field) {
    ASSIGN_OR_RETURN(*deconvolve.mutable_flat_field_volume(), bring(*inputs.flat_field));
  }
  deconvolve.set_psf_volume(psf);
  if (inputs.offset_counts) deconvolve.set_offset_counts(*inputs.offset_counts);
  if (inputs.optics) {
    deconvolve.mutable_optics()->Assign(inputs.optics->channels.begin(), inputs.optics->channels.end());
    deconvolve.set_microscopy(inputs.optics->microscopy);
  }
  deconvolve.set_output_type(ResultSpec(inputs, deconvolve).type());
  v1::JobSpec spec;
  spec.set_display_name(inputs.image.spec.display_name());
  *spec.mutable_deconvolve() = std::move(deconvolve);
  return spec;
}

}  // namespace deconvoy::client
