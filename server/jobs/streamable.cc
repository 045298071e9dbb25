#include "server/jobs/streamable.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"

namespace deconvoy::server {

std::vector<absl::Status> NeedsOfWholeInput(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  std::vector<absl::Status> needs;
  const auto add = [&](bool asked, const std::string& field, const std::string& what, const std::string& instead) {
    if (!asked) return;
    needs.push_back(MakeError(
        {.reason = v1::NOT_STREAMABLE,
         .field = "deconvolve." + field,
         .remedy = instead + " Or submit the job when the image is complete, without `first_planes`."},
        fmt::format("{} from the whole image, but only its first {} planes are looked at", what, spec.first_planes())));
  };
  for (const v1::Parameter& parameter : method.parameters()) {
    const auto given = spec.parameters().find(parameter.name());
    const bool automatic = parameter.automatic() && given != spec.parameters().end() && given->second == kAutomatic;
    add(automatic, fmt::format("parameters[\"{}\"]", parameter.name()),
        fmt::format("`{}=auto` is found", parameter.name()), "Give a number.");
  }
  add(method.estimates_psf(), "method", fmt::format("`{}` estimates the PSF", method.name()),
      "Choose a method that takes the PSF as it is given, such as `rl`.");
  add(spec.estimate_gain(), "estimate_gain", "the gain is estimated", "Give the camera's gain.");
  add(spec.background_planes_auto(), "background_planes_auto", "the background of each plane is estimated",
      "Give the background, or have one estimated for all planes.");
  add(spec.correct_bleaching(), "correct_bleaching", "the fading of the light is told", "Leave it out.");
  add(spec.correct_flicker(), "correct_flicker", "the flicker of the light is told", "Leave it out.");
  add(spec.correct_motion(), "correct_motion", "motion is told", "Leave it out.");
  return needs;
}

}  // namespace deconvoy::server
