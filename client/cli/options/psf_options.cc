#include "client/cli/options/psf_options.h"

#include <fmt/format.h>

#include <map>

#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

const std::map<std::string, v1::PsfCentre>& CentreRules() {
  static const std::map<std::string, v1::PsfCentre> rules = {
      {"auto", v1::AUTO_CENTRE}, {"geometric", v1::GEOMETRIC}, {"geometric-low", v1::GEOMETRIC_LOW},
      {"peak", v1::PEAK},        {"centroid", v1::CENTROID},
  };
  return rules;
}

template <class Spec>
absl::Status SetBackground(const std::string& text, Spec& spec) {
  if (text == "none") return absl::OkStatus();
  if (text == "auto") {
    spec.set_psf_background_auto(true);
    return absl::OkStatus();
  }
  const auto level = ParseNumber(text);
  if (!level.ok())
    return UsageError(fmt::format("--psf-background '{}' is neither none, auto nor a number", Printable(text)),
                      "Give auto for a PSF that was recorded with a camera.");
  spec.set_psf_background_counts(*level);
  return absl::OkStatus();
}

template <class Spec>
absl::Status Set(const PsfUseOptions& options, Spec& spec) {
  RETURN_IF_ERROR(SetBackground(options.background, spec));
  // The contract takes 0 for the default, which is not what somebody means who types it.
  if (options.energy == 0) return UsageError("--psf-energy is 0, but must be a number from 1e-06 to 1");
  spec.set_psf_energy(options.energy);
  if (const auto rule = CentreRules().find(options.centre); rule != CentreRules().end()) {
    spec.set_psf_centre(rule->second);
    return absl::OkStatus();
  }
  const auto voxel = ParseVoxel(options.centre, 0);
  if (!voxel.ok())
    return UsageError(fmt::format("--psf-centre '{}' is neither a rule nor Z,Y,X", Printable(options.centre)),
                      "Give auto, geometric, geometric-low, peak, centroid, or a voxel such as 15,31,31.");
  spec.set_psf_centre(v1::GIVEN);
  *spec.mutable_psf_centre_voxel() = ToProto(*voxel);
  return absl::OkStatus();
}

}  // namespace

void AddPsfUseOptions(CLI::App& verb, PsfUseOptions& options, const char* group) {
  verb.add_option("--psf-centre", options.centre,
                  "Where the PSF's origin lies: a voxel Z,Y,X, or the rule geometric (n/2), geometric-low ((n-1)/2), "
                  "peak, centroid; auto: the geometric one nearest the maximum, else peak")
      ->type_name("RULE|Z,Y,X")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--psf-energy", options.energy, "Share of the PSF's sum that must remain when it is cropped")
      ->type_name("V")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--psf-background", options.background,
                  "What to take off the PSF's values: none, a number, or auto, the level at the rim of its planes; for "
                  "PSFs that were recorded with a camera")
      ->type_name("none|auto|V")
      ->capture_default_str()
      ->group(group);
}

absl::Status SetPsfUse(const PsfUseOptions& options, v1::DeconvolveSpec& spec) {
  return Set(options, spec);
}

absl::Status SetPsfUse(const PsfUseOptions& options, v1::CheckPsfSpec& spec) {
  return Set(options, spec);
}

}  // namespace deconvoy::client
