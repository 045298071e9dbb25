#include "proto/contract/model_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/geometry.h"
#include "proto/contract/limits.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr uint32_t kMostSteps = 1'000'000, kMostParts = 1000, kMostBatch = 64;
constexpr uint32_t kUsualSteps = 2000, kUsualParts = 20;
constexpr double kLeastUsualPhotons = 50, kMostUsualPhotons = 1000;
constexpr double kLeastUsualNoise = 0.01, kMostUsualNoise = 0.2, kUsualLearningRate = 0.002;
constexpr Shape3 kUsualPatch = {64, 64, 64};
constexpr uint32_t kUsualSpecimens = 64, kMostSpecimens = 4096, kUsualValidation = 4, kMostValidation = 256;
constexpr int32_t kLeastPatch = 8, kMostPatch = 256;
constexpr double kMostBytesPerVoxel = 1e12;  // more fits nowhere; products with voxels stay in int64_t
constexpr int kMostKinds = 16;
constexpr size_t kShownBytes = 100;

absl::Status Invalid(std::string_view field, std::string_view what, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = std::string(remedy)},
                   fmt::format("`{}` {}", field, what));
}

// Written so that NaN is refused, too.
absl::Status CheckRange(double value, double most, std::string_view field) {
  if (value >= 0 && value <= most) return absl::OkStatus();
  return Invalid(field, fmt::format("is {}", value), fmt::format("Give a number from 0 to {}.", most));
}

absl::Status CheckMost(uint64_t value, uint64_t most, std::string_view field) {
  if (value <= most) return absl::OkStatus();
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = std::string(field),
                    .remedy = fmt::format("Give at most {}.", most),
                    .metadata = {{"limit", fmt::to_string(most)}}},
                   fmt::format("`{}` is {}, more than {}", field, value, most));
}

absl::Status CheckNetworkName(const std::string& name) {
  const bool named = !name.empty() && name.size() <= limits::kParameterNameBytes &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (named) return absl::OkStatus();
  return Invalid("train_model.network", fmt::format("is `{}`", name.substr(0, kShownBytes)),
                 "Name a network; `deconvoy methods network` tells which there are.");
}

absl::Status CheckPatch(const v1::Voxel3& patch) {
  if (patch.z() == 0 && patch.y() == 0 && patch.x() == 0) return absl::OkStatus();
  const auto fits = [](int32_t extent) { return extent >= kLeastPatch && extent <= kMostPatch; };
  if (fits(patch.z()) && fits(patch.y()) && fits(patch.x())) return absl::OkStatus();
  return Invalid("train_model.patch", fmt::format("is {}x{}x{}", patch.z(), patch.y(), patch.x()),
                 fmt::format("Give extents from {} to {}, or none.", kLeastPatch, kMostPatch));
}

template <class Kinds>
absl::Status CheckKinds(const Kinds& kinds, std::string_view field) {
  RETURN_IF_ERROR(CheckMost(static_cast<uint64_t>(kinds.size()), kMostKinds, field));
  for (const int kind : kinds) {
    if (!v1::SpecimenKind_IsValid(kind) || kind == v1::SPECIMEN_KIND_UNSPECIFIED) {
      return Invalid(field, fmt::format("has {}, which is no kind of specimen", kind),
                     "Name kinds of specimens, such as FILAMENTS.");
    }
  }
  return absl::OkStatus();
}

// A kind that is learned from tells nothing of how a model generalises.
absl::Status CheckHeldOut(const v1::TrainModelSpec& spec) {
  RETURN_IF_ERROR(CheckKinds(spec.kinds(), "train_model.kinds"));
  RETURN_IF_ERROR(CheckKinds(spec.held_out(), "train_model.held_out"));
  for (const int kind : spec.held_out()) {
    const bool learned = std::find(spec.kinds().begin(), spec.kinds().end(), kind) != spec.kinds().end();
    if (learned || kind == v1::MIXED) {
      return Invalid(
          "train_model.held_out",
          fmt::format("has {}, which it learns from", v1::SpecimenKind_Name(static_cast<v1::SpecimenKind>(kind))),
          "Hold out kinds that are not among `kinds`, and not MIXED.");
    }
  }
  if (HoldsOutAllOfMixed(spec.kinds(), spec.held_out())) {
    return Invalid("train_model.held_out", "has all that MIXED is made of", "Hold out fewer kinds.");
  }
  return absl::OkStatus();
}

template <class Names>
absl::Status CheckVolumes(const Names& names, std::string_view field) {
  RETURN_IF_ERROR(CheckMost(static_cast<uint64_t>(names.size()), kMostTrainingVolumes, field));
  for (const std::string& name : names) RETURN_IF_ERROR(VolumeId(name, field).status());
  return absl::OkStatus();
}

// Whether it is learned from images that are given.
bool IsGiven(v1::TrainingTarget target) {
  return target == v1::PAIRS || target == v1::BLIND_SPOT || target == v1::DEGRADATION;
}

// Which volumes are needed is said by the target.
absl::Status CheckTarget(const v1::TrainModelSpec& spec) {
  if (!v1::TrainingTarget_IsValid(spec.target())) {
    return Invalid("train_model.target", fmt::format("is {}", static_cast<int>(spec.target())),
                   "Give one of its values.");
  }
  RETURN_IF_ERROR(CheckVolumes(spec.input_volumes(), "train_model.input_volumes"));
  RETURN_IF_ERROR(CheckVolumes(spec.truth_volumes(), "train_model.truth_volumes"));
  const bool given = IsGiven(spec.target());
  if (given == spec.input_volumes().empty()) {
    return Invalid("train_model.input_volumes", given ? "names no image" : "names images where specimens are simulated",
                   given ? "Name the images to learn from." : "Leave it empty, or choose another target.");
  }
  const int truths = spec.target() == v1::PAIRS ? spec.input_volumes_size() : 0;
  if (spec.truth_volumes_size() != truths) {
    return Invalid("train_model.truth_volumes",
                   fmt::format("has {} volumes, but {} are needed", spec.truth_volumes_size(), truths),
                   "With PAIRS name a truth for each image, else none.");
  }
  const bool classical = spec.target() == v1::CLASSICAL;
  if (classical == spec.method().empty() || (!classical && !spec.parameters().empty())) {
    return Invalid("train_model.method", classical ? "names no method" : "is given where no method is learned from",
                   classical ? "Name the method whose results are to be learned, such as `rl-tv`."
                             : "Leave it and its parameters out, or choose the target CLASSICAL.");
  }
  return CheckMost(static_cast<uint64_t>(spec.parameters_size()), limits::kParameterCount, "train_model.parameters");
}

absl::Status CheckPhotons(const v1::TrainModelSpec& spec) {
  RETURN_IF_ERROR(CheckRange(spec.least_photons(), limits::kMaximumCounts, "train_model.least_photons"));
  RETURN_IF_ERROR(CheckRange(spec.most_photons(), limits::kMaximumCounts, "train_model.most_photons"));
  RETURN_IF_ERROR(CheckRange(spec.background_photons(), limits::kMaximumCounts, "train_model.background_photons"));
  RETURN_IF_ERROR(CheckRange(spec.read_noise_photons(), limits::kMaximumCounts, "train_model.read_noise_photons"));
  RETURN_IF_ERROR(CheckRange(spec.least_noise(), 1, "train_model.least_noise"));
  RETURN_IF_ERROR(CheckRange(spec.most_noise(), 1, "train_model.most_noise"));
  if (spec.target() != v1::DENOISE && (spec.least_noise() > 0 || spec.most_noise() > 0)) {
    return Invalid("train_model.least_noise", "is given where no noise is to be taken out",
                   "Leave it and `most_noise` out, or choose the target DENOISE.");
  }
  const v1::TrainModelSpec filled = WithDefaults(spec);
  if (filled.least_noise() > filled.most_noise()) {
    return Invalid("train_model.most_noise",
                   fmt::format("is {}, below `least_noise` of {}", filled.most_noise(), filled.least_noise()),
                   "Give a range that rises.");
  }
  if (filled.least_photons() <= filled.most_photons()) return absl::OkStatus();
  return Invalid("train_model.most_photons",
                 fmt::format("is {}, below `least_photons` of {}", filled.most_photons(), filled.least_photons()),
                 "Give a range that rises.");
}

// What is told of specimens, where none are drawn, or only noise is added to them: nothing but the defaults.
absl::Status CheckUnused(const v1::TrainModelSpec& spec) {
  const bool given = IsGiven(spec.target()), denoises = spec.target() == v1::DENOISE;
  v1::TrainModelSpec plain;
  plain.set_target(spec.target());
  const v1::TrainModelSpec usual = WithDefaults(plain), filled = WithDefaults(spec);
  const bool kinds = filled.kinds_size() != 1 || filled.kinds(0) != usual.kinds(0);
  const bool reads = spec.read_noise_photons() > 0 && spec.target() != v1::DEGRADATION;
  const char* field = given && kinds                                                           ? "kinds"
                      : given && !spec.held_out().empty()                                      ? "held_out"
                      : (given || denoises) && filled.least_photons() != usual.least_photons() ? "least_photons"
                      : (given || denoises) && filled.most_photons() != usual.most_photons()   ? "most_photons"
                      : (given || denoises) && spec.background_photons() > 0                   ? "background_photons"
                      : (given || denoises) && reads                                           ? "read_noise_photons"
                                                                                               : nullptr;
  if (field == nullptr) return absl::OkStatus();
  return Invalid(fmt::format("train_model.{}", field),
                 fmt::format("is given, but with {} no image is simulated", v1::TrainingTarget_Name(spec.target())),
                 "Leave it out, or choose another target.");
}

absl::Status CheckSteps(const v1::TrainModelSpec& spec) {
  RETURN_IF_ERROR(CheckMost(spec.batch(), kMostBatch, "train_model.batch"));
  RETURN_IF_ERROR(CheckMost(spec.steps(), kMostSteps, "train_model.steps"));
  RETURN_IF_ERROR(CheckMost(spec.parts(), kMostParts, "train_model.parts"));
  RETURN_IF_ERROR(CheckMost(spec.specimens(), kMostSpecimens, "train_model.specimens"));
  RETURN_IF_ERROR(CheckMost(spec.validation(), kMostValidation, "train_model.validation"));
  RETURN_IF_ERROR(CheckRange(spec.learning_rate(), 1, "train_model.learning_rate"));
  const v1::TrainModelSpec filled = WithDefaults(spec);
  if (filled.parts() <= filled.steps()) return absl::OkStatus();
  return Invalid("train_model.parts", fmt::format("is {}, more than the {} steps", filled.parts(), filled.steps()),
                 "Give fewer parts, or more steps.");
}

absl::Status CheckLength(double um, std::string_view field) {
  if (um == 0 || (um >= 1 / limits::kMaximumUm && um <= limits::kMaximumUm)) return absl::OkStatus();
  return Invalid(field, fmt::format("is {} um", um), "Give the distance between voxel centres in um, or 0.");
}

}  // namespace

absl::Status ValidateTrainModel(const v1::TrainModelSpec& spec) {
  RETURN_IF_ERROR(CheckNetworkName(spec.network()));
  if (!IsOfPsf(spec.psf_volume())) RETURN_IF_ERROR(VolumeId(spec.psf_volume(), "train_model.psf_volume").status());
  for (const double um : {spec.voxel_size().z_um(), spec.voxel_size().y_um(), spec.voxel_size().x_um()}) {
    RETURN_IF_ERROR(CheckLength(um, "train_model.voxel_size"));
  }
  RETURN_IF_ERROR(CheckTarget(spec));
  RETURN_IF_ERROR(CheckHeldOut(spec));
  RETURN_IF_ERROR(CheckPhotons(spec));
  RETURN_IF_ERROR(CheckUnused(spec));
  RETURN_IF_ERROR(CheckPatch(spec.patch()));
  RETURN_IF_ERROR(CheckSteps(spec));
  if (v1::ModelHead_IsValid(spec.head())) return absl::OkStatus();
  return Invalid("train_model.head", fmt::format("is {}", static_cast<int>(spec.head())), "Give one of its values.");
}

absl::Status ValidateCheckModel(const v1::CheckModelSpec& spec) {
  RETURN_IF_ERROR(VolumeId(spec.model_volume(), "check_model.model_volume").status());
  if (!v1::ModelFormat_IsValid(spec.format())) {
    return Invalid("check_model.format", fmt::format("is {}", static_cast<int>(spec.format())),
                   "Give one of its values.");
  }
  const size_t bytes = spec.descriptor_text().size();
  if (bytes > kMostDescriptorBytes) {
    return MakeError(
        {.reason = v1::LIMIT_EXCEEDED,
         .field = "check_model.descriptor_text",
         .remedy = "Leave out what is not needed to run the model.",
         .metadata = {{"limit", fmt::to_string(kMostDescriptorBytes)}}},
        fmt::format("`check_model.descriptor_text` has {} bytes, more than {}", bytes, kMostDescriptorBytes));
  }
  if (spec.format() == v1::TORCHSCRIPT && bytes == 0) {
    return Invalid("check_model.descriptor_text", "is empty, but a model that is a program needs one",
                   "Give the resource description that belongs to it (docs/formats/models.md).");
  }
  if (spec.format() == v1::TORCHSCRIPT || bytes == 0) return absl::OkStatus();
  return Invalid("check_model.descriptor_text", "is given, but a file of SAFETENSORS tells all by itself",
                 "Leave it out, or give the file that it belongs to as TORCHSCRIPT.");
}

absl::Status ValidateCreateModel(const v1::CreateModelRequest& request) {
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  if (!IsPsfId(request.model_id())) {
    return Invalid("model_id",
                   fmt::format("is `{}`, which is no name for a model", request.model_id().substr(0, kShownBytes)),
                   "Give 1 to 63 lower-case letters, digits and -, the first of them a letter.");
  }
  RETURN_IF_ERROR(JobId(request.job(), "job").status());
  return ValidateLibraryDescription(request.description());
}

absl::Status ValidateModelFields(const v1::DeconvolveSpec& spec) {
  RETURN_IF_ERROR(CheckMost(static_cast<uint64_t>(spec.models_size()), kMostModels, "deconvolve.models"));
  for (const std::string& name : spec.models()) RETURN_IF_ERROR(ParseModelName(name, "deconvolve.models").status());
  if (spec.compared_tiles() > kMostComparedTiles) {
    return CheckMost(static_cast<uint64_t>(spec.compared_tiles()), static_cast<uint64_t>(kMostComparedTiles),
                     "deconvolve.compared_tiles");
  }
  if (spec.compared_tiles() < 0 && !spec.classical_method().empty()) {
    return Invalid("deconvolve.classical_method", "is given, but no tile is to be compared with it",
                   "Leave it out, or `compared_tiles`.");
  }
  if (!spec.models().empty()) return absl::OkStatus();
  const char* field = spec.spread()                      ? "deconvolve.spread"
                      : spec.compared_tiles() != 0       ? "deconvolve.compared_tiles"
                      : !spec.classical_method().empty() ? "deconvolve.classical_method"
                                                         : nullptr;
  return field == nullptr ? absl::OkStatus()
                          : Invalid(field, "is given without models", "Leave it out, or name models.");
}

bool AppliesModels(const v1::DeconvolveSpec& spec) {
  return spec.method() == kNetworkMethod && !spec.models().empty();
}

Shape3 ModelHalo(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models) {
  Shape3 most;
  for (const v1::ModelUse& use : models) {
    const Shape3 halo = ToShape3(use.facts().halo()), multiple = ToShape3(use.facts().multiple());
    most = {std::max(most.z, halo.z + multiple.z - 1), std::max(most.y, halo.y + multiple.y - 1),
            std::max(most.x, halo.x + multiple.x - 1)};
  }
  return most;
}

void AddDenoiserMemory(double bytes_per_voxel, const Shape3& halo, MethodMemory& memory) {
  constexpr int64_t kMillibytesInAndOut = 1000 * 2 * sizeof(float);
  memory.millibytes_per_padded_voxel += kMillibytesInAndOut;
  memory.box_core = kDenoisedCore;
  memory.box_halo = halo;
  memory.millibytes_per_box_voxel =
      kMillibytesInAndOut + static_cast<int64_t>(std::ceil(1000 * std::min(bytes_per_voxel, kMostBytesPerVoxel)));
}

double ModelBytesPerVoxel(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models, const v1::Method* classical) {
  double bytes = 0;
  for (const v1::ModelUse& use : models) bytes = std::max(bytes, use.facts().bytes_per_voxel());
  if (models.empty() || classical == nullptr) return bytes;
  // The classical method runs after them.
  const double own = classical->bytes_per_padded_voxel() + classical->bytes_per_measured_voxel();
  return std::isnan(own) ? kMostBytesPerVoxel : std::min(std::max(bytes, own), kMostBytesPerVoxel);
}

double TrainingExampleBytes(const v1::TrainModelSpec& spec) {
  const double drawn = std::min<double>(spec.specimens(), static_cast<double>(spec.steps()) * spec.batch());
  const auto voxels = static_cast<double>(ToShape3(spec.patch()).voxels());
  return (drawn + spec.validation()) * voxels * 2 * sizeof(float);
}

double TrainingBytes(const v1::TrainModelSpec& spec, double bytes_per_voxel, double values) {
  const double step = static_cast<double>(ToShape3(spec.patch()).voxels()) * spec.batch() * bytes_per_voxel;
  return step + TrainingExampleBytes(spec) + 2 * sizeof(float) * values + static_cast<double>(kSmallBoxBytes);
}

double TrainingSceneBytes(const v1::TrainModelSpec& spec, const Shape3& psf, const MethodMemory& method) {
  constexpr double kSceneBytes = 8, kDomainBytes = 24;  // as a simulation takes
  if (IsGiven(spec.target()) || spec.target() == v1::DENOISE) return 0;
  const auto grown = [&psf](const Shape3& box) {
    return Shape3{box.z + psf.z - 1, box.y + psf.y - 1, box.x + psf.x - 1};
  };
  const auto domain = [&psf](const Shape3& box) { return PaddedShape(box, psf, v1::EXTEND); };
  // Light comes in from outside the image, and that is as far outside the patch.
  const Shape3 image = grown(ToShape3(spec.patch())), drawn = grown(image);
  const double drawing =
      kSceneBytes * static_cast<double>(drawn.voxels()) + kDomainBytes * static_cast<double>(domain(drawn).voxels());
  const double running = kSceneBytes * static_cast<double>(image.voxels()) +
                         static_cast<double>(TileBytes(method, domain(image), image, psf));
  return std::max(drawing, running);
}

v1::TrainModelSpec WithDefaults(v1::TrainModelSpec spec) {
  if (spec.target() == v1::TRAINING_TARGET_UNSPECIFIED) spec.set_target(v1::SIMULATED_TRUTH);
  if (spec.kinds().empty() && spec.held_out().empty() && spec.input_volumes().empty()) spec.add_held_out(v1::NUCLEI);
  if (spec.kinds().empty()) spec.add_kinds(v1::MIXED);
  if (spec.least_photons() == 0) spec.set_least_photons(kLeastUsualPhotons);
  if (spec.most_photons() == 0) spec.set_most_photons(std::max(kMostUsualPhotons, spec.least_photons()));
  if (spec.steps() == 0) spec.set_steps(kUsualSteps);
  if (spec.parts() == 0) spec.set_parts(std::min(kUsualParts, spec.steps()));
  if (spec.head() == v1::MODEL_HEAD_UNSPECIFIED) spec.set_head(v1::PLAIN);
  if (!spec.has_patch() || ToShape3(spec.patch()) == Shape3{}) *spec.mutable_patch() = ToProto(kUsualPatch);
  if (spec.batch() == 0) spec.set_batch(1);
  if (spec.learning_rate() == 0) spec.set_learning_rate(kUsualLearningRate);
  if (spec.specimens() == 0) spec.set_specimens(kUsualSpecimens);
  if (spec.validation() == 0) spec.set_validation(kUsualValidation);
  if (spec.target() == v1::DENOISE && spec.least_noise() == 0) spec.set_least_noise(kLeastUsualNoise);
  if (spec.target() == v1::DENOISE && spec.most_noise() == 0) {
    spec.set_most_noise(std::max(kMostUsualNoise, spec.least_noise()));
  }
  return spec;
}

uint32_t FirstStep(const v1::TrainModelSpec& spec, uint32_t part) {
  return static_cast<uint32_t>(uint64_t{spec.steps()} * part / spec.parts());
}

}  // namespace deconvoy
