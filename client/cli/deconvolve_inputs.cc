#include "client/cli/deconvolve_inputs.h"

#include <fmt/format.h>

#include <utility>

#include "client/cli/methods.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"

namespace deconvoy::client {
namespace {

absl::Status CheckMethod(const Session& session, const v1::DeconvolveSpec& spec) {
  if (session.local()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto methods, session.client().ListMethods());
  if (methods.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::Method method, FindMethod(methods, spec.method()));
  return ResolveParameters(method, {spec.parameters().begin(), spec.parameters().end()}).status();
}

}  // namespace

void AddInputOptions(CLI::App& verb, InputOptions& options) {
  verb.add_option("INPUT", options.input, "Stack to deconvolve: TIFF, OME-TIFF or BigTIFF of u8, u16 or f32")
      ->type_name("FILE")
      ->required();
  verb.add_option("--psf", options.psf,
                  "Point spread function as a stack, with one channel for all or one per channel of INPUT (required)")
      ->type_name("FILE");
  AddVoxelSize(verb, "--voxel-um", options.voxel_um,
               "Voxel size of INPUT in um, where the file has none or a wrong one");
  AddVoxelSize(verb, "--psf-voxel-um", options.psf_voxel_um, "Voxel size of the PSF in um, likewise");
}

absl::StatusOr<DeconvolveInputs> OpenInputs(const InputOptions& options, Progress& progress) {
  if (options.psf.empty())
    return UsageError("--psf is missing: without the point spread function there is nothing to deconvolve with",
                      "Give a stack of a bead or a computed PSF: --psf FILE");
  DeconvolveInputs inputs;
  ASSIGN_OR_RETURN(inputs.image, OpenInput(options.input, options.voxel_um, progress));
  ASSIGN_OR_RETURN(inputs.psf, OpenInput(options.psf, options.psf_voxel_um, progress));
  std::string note;
  RETURN_IF_ERROR(ValidatePair(inputs.image.spec, inputs.psf.spec, &note));
  return inputs;
}

absl::StatusOr<v1::JobSpec> UploadInputs(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                         Leftovers& leftovers, Progress& progress, const std::stop_token& stop) {
  RETURN_IF_ERROR(CheckMethod(session, deconvolve));
  ASSIGN_OR_RETURN(const std::string psf, UploadImage(session.client(), inputs.psf, progress, stop));
  leftovers.AddVolume(psf);
  ASSIGN_OR_RETURN(const std::string image, UploadImage(session.client(), inputs.image, progress, stop));
  leftovers.AddVolume(image);
  deconvolve.set_psf_volume(psf);
  deconvolve.set_input_volume(image);
  if (deconvolve.output_type() == v1::VOXEL_TYPE_UNSPECIFIED) deconvolve.set_output_type(inputs.image.spec.type());
  v1::JobSpec spec;
  spec.set_display_name(inputs.image.spec.display_name());
  *spec.mutable_deconvolve() = std::move(deconvolve);
  return spec;
}

}  // namespace deconvoy::client
