#include "client/cli/options/deconvolution_options.h"

#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "client/cli/model_names.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr char kMethod[] = "Method";
constexpr char kImaging[] = "Image and PSF";

v1::Boundary ToBoundary(const std::string& name) {
  if (name == "extend") return v1::EXTEND;
  if (name == "periodic") return v1::PERIODIC;
  if (name == "mirror") return v1::MIRROR;
  return v1::BOUNDARY_UNSPECIFIED;
}

absl::Status SetTile(const std::string& text, v1::DeconvolveSpec& spec) {
  if (text == "auto") return absl::OkStatus();
  if (text == "none") {
    spec.mutable_tile()->set_whole(true);
    return absl::OkStatus();
  }
  const auto core = ParseVoxel(text, 1);
  if (!core.ok())
    return UsageError(fmt::format("--tile '{}' is neither auto, none nor Z,Y,X", Printable(text)),
                      "Give the size of a tile's core in voxels, for instance 32,96,96.");
  *spec.mutable_tile()->mutable_core() = ToProto(*core);
  return absl::OkStatus();
}

absl::Status SetBackground(const std::string& text, v1::DeconvolveSpec& spec) {
  if (text == kAutomatic) {
    spec.set_background_auto(true);
    return absl::OkStatus();
  }
  if (text == "planes") {
    spec.set_background_planes_auto(true);
    return absl::OkStatus();
  }
  const absl::Status wrong = UsageError(
      fmt::format("--background '{}' is neither auto, planes, a number of counts from 0 up, several of them, nor a "
                  "percentage",
                  Printable(text)),
      "Give for instance 12.5, or 5% for what 5 % of the voxels lie below, or 12,12.5,13 for three planes.");
  if (text.ends_with('%')) {
    const auto percent = ParseNumber(text.substr(0, text.size() - 1));
    if (!percent.ok() || !(*percent > 0 && *percent < 100)) return wrong;
    spec.set_background_percentile(*percent);
    return absl::OkStatus();
  }
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  std::vector<double> counts;
  for (const std::string& part : parts) {
    const auto value = ParseNumber(part);
    if (!value.ok() || *value < 0) return wrong;
    counts.push_back(*value);
  }
  if (counts.size() == 1) {
    spec.set_background_counts(counts.front());
  } else {
    spec.mutable_background_planes()->mutable_counts()->Assign(counts.begin(), counts.end());
  }
  return absl::OkStatus();
}

// The contract takes 0 for the default, which is not what somebody means who types it.
absl::Status CheckNotZero(double value, std::string_view option, double least, double most) {
  if (value != 0) return absl::OkStatus();
  return UsageError(fmt::format("{} is 0, but must be a number from {} to {}", option, least, most));
}

absl::Status SetGain(const std::string& text, v1::DeconvolveSpec& spec) {
  if (text == kAutomatic) {
    spec.set_estimate_gain(true);
    return absl::OkStatus();
  }
  const auto value = ParseNumber(text);
  if (!value.ok())
    return UsageError(fmt::format("--gain '{}' is neither auto nor a number of photons per count", Printable(text)));
  RETURN_IF_ERROR(CheckNotZero(*value, "--gain", 1 / limits::kMaximumCounts, limits::kMaximumCounts));
  spec.set_gain_photons_per_count(*value);
  return absl::OkStatus();
}

absl::Status SetParameters(const DeconvolutionOptions& options, v1::DeconvolveSpec& spec) {
  ASSIGN_OR_RETURN(const auto values, ParseAssignments(options.set, "--set",
                                                       "List the parameters of a method with: deconvoy methods NAME"));
  spec.mutable_parameters()->insert(values.begin(), values.end());
  if (!options.iterations) return absl::OkStatus();
  if (values.contains("iterations"))
    return UsageError("the number of iterations is given twice, by --iterations and by --set", "Leave one out.");
  // How many are allowed is the method's to say.
  if (*options.iterations == kAutomatic) {
    (*spec.mutable_parameters())["iterations"] = *options.iterations;
    return absl::OkStatus();
  }
  const std::string_view digits = std::string_view(*options.iterations).substr(options.iterations->starts_with('-'));
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return UsageError(
        fmt::format("--iterations '{}' is neither a whole number nor auto", Printable(*options.iterations)));
  (*spec.mutable_parameters())["iterations"] = *options.iterations;
  return absl::OkStatus();
}

// What the server would say, before anything is sent to it.
absl::Status Check(const v1::DeconvolveSpec& spec) {
  v1::JobSpec job;
  *job.mutable_deconvolve() = spec;
  job.mutable_deconvolve()->set_input_volume(VolumeName("image"));
  job.mutable_deconvolve()->set_psf_volume(VolumeName("psf"));
  return WithExitCode(ValidateJobSpec(job), ExitCode::kUsage);
}

void AddMethodOptions(CLI::App& verb, DeconvolutionOptions& options) {
  verb.add_option("--method", options.method, "Method; see: deconvoy methods")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(kMethod);
  verb.add_option("--iterations", options.iterations,
                  "Number of iterations; auto: found on a sample of the data [the method's default]")
      ->type_name("N|auto")
      ->group(kMethod);
  verb.add_option("--set", options.set, "Parameter of the method, repeatable; see: deconvoy methods NAME")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(kMethod);
  verb.add_option("--boundary", options.boundary,
                  "What lies around the measured volume: unknown and estimated too, the volume again, or its mirror "
                  "image [the method's default]")
      ->check(CLI::IsMember({"extend", "periodic", "mirror"}))
      ->type_name("")
      ->group(kMethod);
  verb.add_option("--tile", options.tile,
                  "Size of a tile's core in voxels, Z,Y,X; auto: as memory demands; none: the whole frame at once")
      ->type_name("auto|none|Z,Y,X")
      ->capture_default_str()
      ->group(kMethod);
  verb.add_option(
          "--network", options.models,
          "Model: NAME or NAME@N of the server's library, or its file (FILE.safetensors, ./FILE), which a server "
          "keeps in the library. With the method network: that is applied; repeated, the mean of all. With "
          "pnp-admm and pnp-ista: one that denoises, as the denoiser")
      ->type_name("MODEL|FILE")
      ->allow_extra_args(false)
      ->group(kMethod);
  verb.add_option("--compare-with", options.compare_with,
                  "Classical method that the models' result is compared with on some tiles; without it rl")
      ->type_name("METHOD")
      ->group(kMethod);
  verb.add_option("--compared-tiles", options.compared_tiles,
                  "On how many tiles of each frame the models' result is compared with that of a classical method; 0: "
                  "none; without it 2")
      ->check(CLI::Range(0, kMostComparedTiles))
      ->type_name("N")
      ->group(kMethod);
  verb.add_option("--backend", options.backend, "What to compute on")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kMethod);
}

void AddCorrections(CLI::App& verb, DeconvolutionOptions& options) {
  verb.add_option("--bad-pixels", options.bad_pixels,
                  "Hot and dead pixels of the camera; auto: found and told from the light around them; off: left as "
                  "they are")
      ->check(CLI::IsMember({"auto", "off"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_option(
          "--bleaching", options.bleaching,
          "Light that fades over time points, or over the planes of one stack; correct: brought back to that of "
          "the beginning; report: only said")
      ->check(CLI::IsMember({"report", "correct"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_option("--flicker", options.flicker,
                  "Planes brighter or darker than their neighbours; correct: brought to their light; report: only said")
      ->check(CLI::IsMember({"report", "correct"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_option("--motion", options.motion,
                  "Planes that jump and time points that drift; correct: put where they belong, by whole voxels (needs "
                  "--boundary extend); report: only said")
      ->check(CLI::IsMember({"report", "correct"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kImaging);
}

void AddImagingOptions(CLI::App& verb, DeconvolutionOptions& options) {
  verb.add_option("--background", options.background,
                  "Background light in counts above the offset, or one for each plane; P%: what so many per cent of a "
                  "frame's voxels lie below; planes: estimated for each plane by itself; auto: estimated from each "
                  "frame's darkest voxels")
      ->type_name("auto|V|V,V,...|P%|planes")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_option(
          "--offset", options.offset,
          "Camera offset in counts [that of the camera in the file of INPUT; else 0, and a warning where the image has "
          "another]")
      ->type_name("V")
      ->group(kImaging);
  verb.add_option("--gain", options.gain,
                  "Photons per count; auto: it and, unless given, the read noise are estimated from the image's noise "
                  "[1, and nothing is said of how much noise there should be]")
      ->type_name("auto|V")
      ->group(kImaging);
  verb.add_option("--read-noise", options.read_noise, "Standard deviation of the camera's noise in photons")
      ->type_name("V")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_option("--dark", options.dark, "Dark current of one exposure in electrons: taken off, and counted as noise")
      ->type_name("V")
      ->capture_default_str()
      ->group(kImaging);
  AddCorrections(verb, options);
  verb.add_option("--saturation", options.saturation,
                  "Voxels of at least so many counts do not count: they are told from their neighbours")
      ->type_name("COUNTS")
      ->group(kImaging);
  verb.add_option("--psf-depths-um", options.psf_depths_um,
                  "Depths below the first plane to which the stacks (time points) of the PSF belong, rising; results "
                  "between two depths are blended")
      ->type_name("Z,Z,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(kImaging);
  AddPsfUseOptions(verb, options.psf_use, kImaging);
  verb.add_option("--dtype", options.dtype, "Type of the result's voxels; same: that of the input")
      ->check(CLI::IsMember({"f32", "u16", "same"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kImaging);
  verb.add_flag("--keep-offset", options.keep_offset, "Keep the camera offset in the result")->group(kImaging);
}

}  // namespace

void AddDeconvolutionOptions(CLI::App& verb, DeconvolutionOptions& options) {
  AddMethodOptions(verb, options);
  AddRegionOption(verb, options.region);
  AddImagingOptions(verb, options);
}

absl::StatusOr<v1::DeconvolveSpec> ToSpec(const DeconvolutionOptions& options) {
  v1::DeconvolveSpec spec;
  spec.set_method(options.method);
  RETURN_IF_ERROR(SetParameters(options, spec));
  spec.set_boundary(ToBoundary(options.boundary));
  if (options.offset) spec.set_offset_counts(*options.offset);
  if (options.gain) RETURN_IF_ERROR(SetGain(*options.gain, spec));
  spec.set_read_noise_photons(options.read_noise);
  spec.set_dark_photons(options.dark);
  spec.set_keep_bad_pixels(options.bad_pixels == "off");
  spec.set_correct_bleaching(options.bleaching == "correct");
  spec.set_correct_flicker(options.flicker == "correct");
  spec.set_correct_motion(options.motion == "correct");
  if (options.saturation) {
    RETURN_IF_ERROR(
        CheckNotZero(*options.saturation, "--saturation", 1 / limits::kMaximumCounts, limits::kMaximumCounts));
    spec.set_saturation_counts(*options.saturation);
  }
  spec.mutable_psf_depths_um()->Assign(options.psf_depths_um.begin(), options.psf_depths_um.end());
  RETURN_IF_ERROR(SetBackground(options.background, spec));
  RETURN_IF_ERROR(SetPsfUse(options.psf_use, spec));
  RETURN_IF_ERROR(SetTile(options.tile, spec));
  if (options.dtype != "same") spec.set_output_type(options.dtype == "u16" ? v1::U16 : v1::F32);
  spec.set_keep_offset(options.keep_offset);
  if (options.backend != "auto") spec.set_backend(options.backend);
  for (const std::string& model : options.models) {
    ASSIGN_OR_RETURN(*spec.add_models(), NetworkArgument(model));
  }
  spec.set_classical_method(options.compare_with);
  // The contract takes 0 for the default.
  if (options.compared_tiles) spec.set_compared_tiles(*options.compared_tiles == 0 ? -1 : *options.compared_tiles);
  RETURN_IF_ERROR(Check(spec));
  return spec;
}

absl::Status AskForSpread(v1::DeconvolveSpec& spec) {
  spec.set_spread(true);
  return WithExitCode(ValidateModelFields(spec), ExitCode::kUsage);
}

}  // namespace deconvoy::client
