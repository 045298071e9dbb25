// What needs no LibTorch of worker/learned/training.h: recipes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/axial_degradation.h"
#include "worker/learned/training.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::learned {
namespace {

constexpr double kMostPlaneStep = 16;
constexpr int64_t kMostPatch = 512, kMostSteps = 1'000'000, kMostBatch = 64, kMostSpecimens = 100'000;

absl::Status Wrong(std::string_view field, std::string_view remedy, std::string_view what) {
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = fmt::format("train_model.{}", field), .remedy = std::string(remedy)},
      what);
}

template <typename Number>
absl::Status CheckRange(std::string_view field, Number value, Number least, Number most) {
  if (value >= least && value <= most) return absl::OkStatus();  // false for NaN
  return Wrong(field, fmt::format("Give {} to {}.", least, most), fmt::format("{} is {}", field, value));
}

std::string DigestOf(const std::vector<float>& values) {
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(values)));
  return ToHex(digest.Finish());
}

bool NeedsPsf(const Recipe& recipe, const NetworkKind& kind) {
  return (recipe.source != Source::kDenoise && recipe.source != Source::kPairs) || kind.knows_psf;
}

absl::Status CheckPsf(const Recipe& recipe, const NetworkKind& kind) {
  if (!NeedsPsf(recipe, kind)) return absl::OkStatus();
  const PreparedPsf& psf = recipe.psf;
  const bool whole = !psf.shape.empty() && static_cast<int64_t>(psf.values.size()) == psf.shape.voxels() &&
                     Box3{{}, psf.shape}.Contains({psf.centre, {1, 1, 1}});
  if (whole) return absl::OkStatus();
  return Wrong("psf_volume", "Name the PSF that the model is for.",
               fmt::format("training {} on {} needs a PSF", recipe.network, NameOf(recipe.source)));
}

absl::Status CheckMethod(const Recipe& recipe) {
  if (recipe.source != Source::kMethod) return absl::OkStatus();
  const Method* method = FindMethod(recipe.method);
  if (method == nullptr || method->description().joins_channels() || method->description().estimates_psf()) {
    return Wrong("method", "Name one of the methods that restore one channel with a given PSF.",
                 fmt::format("'{}' is no method that can be learned from", Printable(recipe.method)));
  }
  ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method->description(), recipe.method_parameters));
  for (const auto& [name, text] : parameters.texts()) {
    if (!parameters.IsAuto(name) || name == "nsr") continue;
    return Wrong(fmt::format("parameters[\"{}\"]", name), "Give a value.",
                 "a method that is learned from has no automatic parameters");
  }
  return absl::OkStatus();
}

// Of the given images.
Shape3 LeastExtents(const Recipe& recipe) {
  return DegradesSlices(recipe) ? LeastImage(recipe) : recipe.patch;
}

bool Fits(const GivenImage& image, const Recipe& recipe) {
  const Shape3 least = LeastExtents(recipe);
  const bool extents = image.shape.z >= least.z && image.shape.y >= least.y && image.shape.x >= least.x &&
                       static_cast<int64_t>(image.image.size()) == image.shape.voxels();
  const size_t targets = recipe.source == Source::kPairs ? image.image.size() : 0;
  const auto finite = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  };
  return extents && image.target.size() == targets && finite(image.image) && finite(image.target);
}

absl::Status CheckImages(const Recipe& recipe) {
  const bool takes =
      recipe.source == Source::kPairs || recipe.source == Source::kBlindSpot || recipe.source == Source::kDegradation;
  if (!takes && !recipe.images.empty()) {
    return Wrong("input_volumes", "Leave them out, or train on pairs, blind spots or degradation.",
                 fmt::format("training on {} draws its own images", NameOf(recipe.source)));
  }
  if (recipe.source == Source::kPairs && recipe.images.empty()) {
    return Wrong("input_volumes", "Give images and their truths.", "there are no pairs to train on");
  }
  for (size_t i = 0; i < recipe.images.size(); ++i) {
    if (Fits(recipe.images[i], recipe)) continue;
    const Shape3 least = LeastExtents(recipe);
    return Wrong(
        fmt::format("input_volumes[{}]", i),
        fmt::format("Give images of at least {} x {} x {} voxels, and with pairs as large truths; or a smaller "
                    "patch.",
                    least.z, least.y, least.x),
        fmt::format("image {} does not fit the patch, its truth is of other extents, or it has NaN", i));
  }
  return absl::OkStatus();
}

// Lateral slices as coarse as axial ones take so many times their lines of a plane.
absl::Status CheckPlaneStep(const Recipe& recipe) {
  if (!DegradesSlices(recipe)) return absl::OkStatus();
  for (const LateralAxis axis : {LateralAxis::kY, LateralAxis::kX}) {
    if (PlaneStep(recipe.voxel_um, axis) <= kMostPlaneStep) continue;
    return Wrong("voxel_size",
                 fmt::format("Give the images' voxel size in um, with z at most {} times y and x.", kMostPlaneStep),
                 "planes lie too far apart for lateral slices to be made as coarse");
  }
  const Shape3 least = LeastImage(recipe);
  if (least.y <= kMostPatch && least.x <= kMostPatch) return absl::OkStatus();
  return Wrong(
      "patch", "Give fewer planes.",
      fmt::format("lateral slices of {} planes need {} x {} voxels of a plane", recipe.patch.z, least.y, least.x));
}

absl::Status CheckNetwork(const Recipe& recipe, const NetworkKind& kind) {
  if (kind.plain_only && recipe.head != Head::kPlain) {
    return Wrong("head", "Train the plain head.", fmt::format("{} has no probabilistic head", kind.name));
  }
  if ((kind.purpose == Purpose::kDenoise) != (recipe.source == Source::kDenoise)) {
    return Wrong("target", "Train dncnn3d as a denoiser, and other networks on anything else.",
                 fmt::format("{} cannot be trained on {}", kind.name, NameOf(recipe.source)));
  }
  if (recipe.source == Source::kBlindSpot && recipe.head != Head::kPlain) {
    return Wrong("head", "Train the plain head.", "hidden voxels tell nothing of the scale of what is restored");
  }
  for (const int64_t extent : {recipe.patch.z, recipe.patch.y, recipe.patch.x}) {
    if (extent >= 1 && extent <= kMostPatch && extent % kind.step == 0) continue;
    return Wrong("patch", fmt::format("Give multiples of {} up to {}.", kind.step, kMostPatch),
                 fmt::format("a patch of {} x {} x {} does not fit {}", recipe.patch.z, recipe.patch.y, recipe.patch.x,
                             kind.name));
  }
  return absl::OkStatus();
}

absl::Status CheckNumbers(const Recipe& recipe) {
  RETURN_IF_ERROR(CheckRange("least_photons", recipe.peak_photons_low, 0.1, 1e9));
  RETURN_IF_ERROR(CheckRange("most_photons", recipe.peak_photons_high, recipe.peak_photons_low, 1e9));
  RETURN_IF_ERROR(CheckRange("background_photons", recipe.background, 0.0, 1e9));
  RETURN_IF_ERROR(CheckRange("read_noise_photons", recipe.read_noise, 0.0, 1e6));
  RETURN_IF_ERROR(CheckRange("noise_low", recipe.noise_low, 1e-6, 10.0));
  RETURN_IF_ERROR(CheckRange("noise_high", recipe.noise_high, recipe.noise_low, 10.0));
  RETURN_IF_ERROR(CheckRange<int64_t>("batch", recipe.batch, 1, kMostBatch));
  RETURN_IF_ERROR(CheckRange<int64_t>("specimens", recipe.specimens, 1, kMostSpecimens));
  RETURN_IF_ERROR(CheckRange<int64_t>("validation", recipe.validation, 1, kMostSpecimens));
  RETURN_IF_ERROR(CheckRange<int64_t>("steps", recipe.steps, 1, kMostSteps));
  RETURN_IF_ERROR(CheckRange<int64_t>("patience", recipe.patience, 0, kMostSteps));
  return CheckRange("learning_rate", recipe.learning_rate, 1e-9, 1.0);
}

absl::Status CheckKinds(const Recipe& recipe) {
  if (recipe.kinds.empty()) return Wrong("kinds", "Give at least one.", "there are no kinds of specimens");
  for (const v1::SpecimenKind kind : recipe.held_out) {
    if (std::find(recipe.kinds.begin(), recipe.kinds.end(), kind) == recipe.kinds.end()) continue;
    return Wrong("held_out", "Hold out other kinds than those that are trained on.",
                 fmt::format("{} is both trained on and held out", v1::SpecimenKind_Name(kind)));
  }
  if (HoldsOutAllOfMixed(recipe.kinds, recipe.held_out)) {
    return Wrong("held_out", "Hold out fewer kinds.", "nothing is left of MIXED without the kinds held out");
  }
  return absl::OkStatus();
}

nlohmann::ordered_json NamesOf(const std::vector<v1::SpecimenKind>& kinds) {
  auto names = nlohmann::ordered_json::array();
  for (const v1::SpecimenKind kind : kinds) names.push_back(v1::SpecimenKind_Name(kind));
  return names;
}

}  // namespace

std::string_view NameOf(Source source) {
  switch (source) {
    case Source::kTruth:
      return "truth";
    case Source::kMethod:
      return "method";
    case Source::kDenoise:
      return "denoise";
    case Source::kPairs:
      return "pairs";
    case Source::kBlindSpot:
      return "blind-spot";
    case Source::kDegradation:
      return "degradation";
  }
  return "unknown";
}

bool DegradesSlices(const Recipe& recipe) {
  const NetworkKind* kind = FindNetwork(recipe.network);
  return recipe.source == Source::kDegradation && kind != nullptr && kind->axial_slices;
}

Shape3 LeastImage(const Recipe& recipe) {
  int64_t extent = recipe.patch.x;
  for (const LateralAxis axis : {LateralAxis::kY, LateralAxis::kX}) {
    extent = std::max(extent, LinesOf(recipe.patch.z, PlaneStep(recipe.voxel_um, axis)));
  }
  return {1, extent, extent};
}

absl::Status CheckRecipe(const Recipe& recipe) {
  const NetworkKind* kind = FindNetwork(recipe.network);
  if (kind == nullptr) {
    std::vector<std::string> names;
    for (const NetworkKind& known : AllNetworks()) names.emplace_back(known.name);
    const std::string nearest = Nearest(recipe.network, names);
    return Wrong("network", nearest.empty() ? "Ask for the networks there are." : fmt::format("Try {}.", nearest),
                 fmt::format("no network is called '{}'", Printable(recipe.network)));
  }
  RETURN_IF_ERROR(CheckNetwork(recipe, *kind));
  RETURN_IF_ERROR(CheckNumbers(recipe));
  RETURN_IF_ERROR(CheckKinds(recipe));
  RETURN_IF_ERROR(CheckPsf(recipe, *kind));
  RETURN_IF_ERROR(CheckMethod(recipe));
  RETURN_IF_ERROR(CheckPlaneStep(recipe));
  RETURN_IF_ERROR(CheckImages(recipe));
  const std::vector<std::string>& devices = TheRuntime().devices;
  if (!TheRuntime().available() || std::find(devices.begin(), devices.end(), recipe.device) != devices.end()) {
    return absl::OkStatus();
  }
  return Wrong("device", "Train on the processors.", fmt::format("there is no device '{}'", Printable(recipe.device)));
}

std::string ToJson(const Recipe& recipe) {
  nlohmann::ordered_json json;
  json["network"] = recipe.network;
  json["head"] = recipe.head == Head::kPlain ? "plain" : "probabilistic";
  json["source"] = NameOf(recipe.source);
  if (recipe.source == Source::kMethod) {
    json["method"] = recipe.method;
    json["parameters"] = recipe.method_parameters;
  }
  if (!recipe.psf.values.empty()) json["psf_digest"] = PsfDigest(recipe.psf);
  json["voxel_um"] = recipe.voxel_um;
  json["kinds"] = NamesOf(recipe.kinds);
  json["held_out"] = NamesOf(recipe.held_out);
  json["peak_photons"] = {recipe.peak_photons_low, recipe.peak_photons_high};
  json["background"] = recipe.background;
  json["read_noise"] = recipe.read_noise;
  if (recipe.source == Source::kDenoise) json["noise"] = {recipe.noise_low, recipe.noise_high};
  json["images"] = recipe.images.size();
  for (size_t i = 0; i < std::min(recipe.images.size(), kMostToldImages); ++i) {
    json["image_digests"].push_back(DigestOf(recipe.images[i].image));
    if (!recipe.images[i].target.empty()) json["truth_digests"].push_back(DigestOf(recipe.images[i].target));
  }
  json["patch"] = {recipe.patch.z, recipe.patch.y, recipe.patch.x};
  json["batch"] = recipe.batch;
  json["specimens"] = recipe.specimens;
  json["validation"] = recipe.validation;
  json["steps"] = recipe.steps;
  json["parts"] = recipe.parts;
  json["learning_rate"] = recipe.learning_rate;
  json["patience"] = recipe.patience;
  json["seed"] = recipe.seed;
  json["device"] = recipe.device;
  return json.dump();
}

}  // namespace deconvoy::worker::learned
