#include "server/jobs/model_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <cmath>
#include <iterator>
#include <utility>

#include "proto/contract/byte_volume.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::server {
namespace {

constexpr int64_t kUsualComparedTiles = 2;

// Voxels that differ by less are the same.
constexpr double kSameVoxel = 0.01;

absl::Status Invalid(std::string_view field, std::string_view what, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = std::string(remedy)},
                   fmt::format("`{}` {}", field, what));
}

absl::Status CheckUsable(const v1::Method& method, const char* field) {
  if (method.unavailable().empty()) return absl::OkStatus();
  return MakeError({.reason = v1::NO_WORKER,
                    .field = field,
                    .remedy = "Start a worker that was built with LibTorch (-DDECONVOY_TORCH=ON)."},
                   fmt::format("no worker can do `{}`: {}", method.name(), method.unavailable()));
}

absl::StatusOr<v1::Method> NetworkMethod(const Capabilities& capabilities, const char* field) {
  ASSIGN_OR_RETURN(v1::Method method, capabilities.FindMethod(kNetworkMethod, field));
  RETURN_IF_ERROR(CheckUsable(method, field));
  return method;
}

absl::StatusOr<v1::NetworkDescription> FindNetwork(const v1::Method& method, const std::string& name) {
  std::vector<std::string> names;
  for (const v1::NetworkDescription& network : method.networks()) {
    if (network.name() == name) return network;
    names.push_back(network.name());
  }
  const std::string nearest = Nearest(name, names);
  return Invalid("train_model.network", fmt::format("is `{}`, which no worker knows", name),
                 nearest.empty() ? fmt::format("Choose one of: {}.", fmt::join(names, ", "))
                                 : fmt::format("Did you mean `{}`?", nearest));
}

// A complete volume of the owner.
absl::StatusOr<VolumeRecord> FindComplete(Store& store, const std::string& owner, const std::string& name,
                                          const std::string& field) {
  ASSIGN_OR_RETURN(const std::string id, VolumeId(name, field));
  absl::StatusOr<VolumeRecord> record = store.GetVolume(id);
  if (!record.ok() && ReasonOf(record.status()) != v1::NOT_FOUND) return record.status();
  if (!record.ok() || record->owner != owner) {
    return MakeError({.reason = v1::NOT_FOUND, .field = field, .remedy = "Upload it, or name another volume."},
                     fmt::format("`{}`: there is no volume \"{}\"", field, name));
  }
  if (record->state == v1::COMPLETE) return record;
  return MakeError({.reason = v1::VOLUME_INCOMPLETE,
                    .field = field,
                    .remedy = "Send the missing boxes and call Finish, then submit again."},
                   fmt::format("`{}`: {} is not complete yet", field, name));
}

bool IsClassical(const v1::Method& method) {
  return !method.needs_models() && !method.joins_channels() && !method.estimates_psf();
}

// The method whose results are learned: one that makes one image from one, with a PSF as it is given.
absl::Status CheckLearnedMethod(const Capabilities& capabilities, v1::TrainModelSpec& spec) {
  ASSIGN_OR_RETURN(const v1::Method method, capabilities.FindMethod(spec.method(), "train_model.method"));
  if (!IsClassical(method)) {
    return Invalid("train_model.method", fmt::format("is `{}`, which cannot be learned from", method.name()),
                   "Choose a method of one image and one PSF without models, such as `rl-tv`.");
  }
  ASSIGN_OR_RETURN(const Parameters parameters,
                   ResolveParameters(method, {spec.parameters().begin(), spec.parameters().end()}));
  for (const auto& [name, text] : parameters.texts()) {
    if (text == kAutomatic) {
      return Invalid("train_model.parameters", fmt::format("has `{}` as `auto`", name), "Give it a number.");
    }
    (*spec.mutable_parameters())[name] = text;
  }
  return absl::OkStatus();
}

// A given image, or its truth: frames of any number.
absl::Status CheckTrainingImage(const v1::VolumeSpec& image, const v1::VolumeSpec* truth, int index) {
  if (truth == nullptr || image.shape().SerializeAsString() == truth->shape().SerializeAsString()) {
    return absl::OkStatus();
  }
  return MakeError({.reason = v1::SHAPE_MISMATCH,
                    .field = "train_model.truth_volumes",
                    .remedy = "Give truths with the extents of their images."},
                   fmt::format("truth {} has other extents than its image", index));
}

std::string VoxelText(const v1::VoxelSize& voxel) {
  return fmt::format("{:g}, {:g}, {:g} um", voxel.z_um(), voxel.y_um(), voxel.x_um());
}

bool SameLength(double a, double b) {
  return a <= 0 || b <= 0 || std::abs(a - b) <= kSameVoxel * b;
}

// As far as both are known.
bool SameVoxel(const v1::VoxelSize& a, const v1::VoxelSize& b) {
  return SameLength(a.z_um(), b.z_um()) && SameLength(a.y_um(), b.y_um()) && SameLength(a.x_um(), b.x_um());
}

}  // namespace

absl::StatusOr<TrainingExamination> ExamineTraining(Store& store, const std::string& owner,
                                                    const Capabilities& capabilities, const v1::TrainModelSpec& spec) {
  ASSIGN_OR_RETURN(const v1::Method method, NetworkMethod(capabilities, "train_model.network"));
  TrainingExamination found;
  found.spec = WithDefaults(spec);
  ASSIGN_OR_RETURN(found.network, FindNetwork(method, spec.network()));
  if (found.network.denoises() != (found.spec.target() == v1::DENOISE)) {
    return Invalid("train_model.target", fmt::format("does not suit `{}`", spec.network()),
                   found.network.denoises() ? "Choose DENOISE: the network takes noise out."
                                            : "Choose another one: the network undoes a blur.");
  }
  if (spec.head() == v1::PROBABILISTIC && !found.network.probabilistic()) {
    return Invalid("train_model.head", fmt::format("is PROBABILISTIC, which `{}` cannot be", spec.network()),
                   "Leave it out.");
  }
  if (found.spec.target() == v1::CLASSICAL) RETURN_IF_ERROR(CheckLearnedMethod(capabilities, found.spec));
  // A larger one is refused with the job's outputs.
  const auto file = static_cast<int64_t>(
      std::min<uint64_t>(found.network.state_bytes(), static_cast<uint64_t>(limits::kModelStateBytes)));
  const int64_t state = ToShape(ByteVolume(file).shape(), v1::U8, "shape").value().voxels();
  auto read = static_cast<double>(state);
  for (int i = 0; i < spec.input_volumes_size(); ++i) {
    ASSIGN_OR_RETURN(const VolumeRecord image,
                     FindComplete(store, owner, spec.input_volumes(i), "train_model.input_volumes"));
    found.inputs[image.id] = image.spec;
    int64_t values = ToShape(image.spec.shape(), image.spec.type(), "shape").value().voxels();
    if (i < spec.truth_volumes_size()) {
      ASSIGN_OR_RETURN(const VolumeRecord truth,
                       FindComplete(store, owner, spec.truth_volumes(i), "train_model.truth_volumes"));
      found.inputs[truth.id] = truth.spec;
      RETURN_IF_ERROR(CheckTrainingImage(image.spec, &truth.spec, i));
      values *= 2;
    }
    read += static_cast<double>(values);
  }
  // Its own state may lie in memory until it is delivered.
  const double bytes =
      TrainingBytes(found.spec, found.network.training_bytes_per_voxel(), read) + static_cast<double>(state);
  found.memory_bytes = static_cast<int64_t>(bytes < 1e18 ? std::max(bytes, 0.0) : 1e18);
  return found;
}

absl::Status CheckTrainingPsf(const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf) {
  if (psf.shape().t() != 1 || psf.shape().c() != 1) {
    return MakeError(
        {.reason = v1::SHAPE_MISMATCH, .field = "train_model.psf_volume", .remedy = "Give one stack of one channel."},
        fmt::format("a model is trained for one PSF, but the volume has {} time points of {} channels", psf.shape().t(),
                    psf.shape().c()));
  }
  const v1::VoxelSize &own = psf.voxel_size(), &asked = spec.voxel_size();
  if (SameVoxel(asked, own)) return absl::OkStatus();
  return MakeError(
      {.reason = v1::VOXEL_SIZE_MISMATCH,
       .field = "train_model.voxel_size",
       .remedy = "Leave it out, or give the PSF with the voxels that the model is for."},
      fmt::format("the model is for voxels of {}, but the PSF has voxels of {}", VoxelText(asked), VoxelText(own)));
}

absl::Status CheckTrainingVoxels(const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf,
                                 const std::map<std::string, v1::VolumeSpec>& inputs) {
  for (const auto& [id, image] : inputs) {
    for (const v1::VoxelSize& voxel : {psf.voxel_size(), spec.voxel_size()}) {
      if (SameVoxel(image.voxel_size(), voxel)) continue;
      return MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                        .field = "train_model.input_volumes",
                        .remedy = "Give images with the voxels that the model is for."},
                       fmt::format("the model is for voxels of {}, but {} has voxels of {}", VoxelText(voxel),
                                   VolumeName(id), VoxelText(image.voxel_size())));
    }
  }
  return absl::OkStatus();
}

double BytesForPsf(const Capabilities& capabilities, const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf) {
  const Shape3 shape{psf.shape().z(), psf.shape().y(), psf.shape().x()};
  MethodMemory memory;
  const absl::StatusOr<v1::Method> method =
      capabilities.FindMethod(spec.target() == v1::CLASSICAL ? spec.method() : "rl", "train_model.method");
  if (method.ok()) {
    const absl::StatusOr<Parameters> parameters =
        ResolveParameters(*method, {spec.parameters().begin(), spec.parameters().end()});
    if (parameters.ok()) memory = MemoryOf(*method, *parameters);
  }
  const double bytes =
      2 * sizeof(float) * static_cast<double>(shape.voxels()) + TrainingSceneBytes(spec, shape, memory);
  return std::min(bytes, 1e18);
}

absl::StatusOr<std::map<std::string, v1::VolumeSpec>> ExamineModelFile(Store& store, const std::string& owner,
                                                                       const Capabilities& capabilities,
                                                                       const v1::CheckModelSpec& spec) {
  constexpr char kField[] = "check_model.model_volume";
  ASSIGN_OR_RETURN(const v1::Method method, NetworkMethod(capabilities, "check_model.format"));
  const v1::ModelFormat format = spec.format() == v1::MODEL_FORMAT_UNSPECIFIED ? v1::SAFETENSORS : spec.format();
  if (std::find(method.formats().begin(), method.formats().end(), format) == method.formats().end()) {
    return MakeError({.reason = v1::NO_WORKER, .field = "check_model.format", .remedy = "Give a file of SAFETENSORS."},
                     fmt::format("no worker reads models of the format {}", v1::ModelFormat_Name(format)));
  }
  ASSIGN_OR_RETURN(const VolumeRecord volume, FindComplete(store, owner, spec.model_volume(), kField));
  RETURN_IF_ERROR(CheckByteVolume(volume.spec, kField));
  const int64_t bytes = VolumeBytes(ToShape(volume.spec.shape(), volume.spec.type(), "shape").value(), v1::U8);
  const int64_t most = VolumeBytes(ToShape(ByteVolume(limits::kModelBytes).shape(), v1::U8, "shape").value(), v1::U8);
  if (bytes > most) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = kField,
                      .remedy = "Use a smaller model.",
                      .metadata = {{"limit", fmt::to_string(most)}}},
                     fmt::format("`{}` has {} bytes, more than {}", kField, bytes, most));
  }
  return std::map<std::string, v1::VolumeSpec>{{volume.id, volume.spec}};
}

absl::StatusOr<ModelUses> LookUpModels(Store& store, const std::string& owner, v1::DeconvolveSpec& spec) {
  ModelUses uses;
  for (std::string& name : *spec.mutable_models()) {
    ASSIGN_OR_RETURN(const ModelId id, ParseModelName(name, "deconvolve.models"));
    absl::StatusOr<ModelRecord> model = store.GetModel(owner, id.id, id.version);
    if (ReasonOf(model.status()) == v1::NOT_FOUND) {
      return MakeError(
          {.reason = v1::NOT_FOUND, .field = "deconvolve.models", .remedy = InfoOf(model.status()).remedy()},
          fmt::format("`deconvolve.models`: {}", std::string(model.status().message())));
    }
    RETURN_IF_ERROR(model.status());
    name = model->model.name();
    v1::ModelUse& use = *uses.Add();
    use.set_name(model->model.name());
    use.set_volume(model->model.volume());
    *use.mutable_facts() = model->model.facts();
    use.mutable_facts()->clear_recipe();
    use.mutable_facts()->clear_training();
    use.mutable_facts()->clear_quality();
  }
  return uses;
}

absl::Status CheckModels(const v1::Method& method, const v1::DeconvolveSpec& spec, const ModelUses& models) {
  RETURN_IF_ERROR(CheckUsable(method, "deconvolve.method"));
  if (method.needs_models() && models.empty()) {
    return Invalid("deconvolve.models", fmt::format("is empty, but `{}` needs a model", method.name()),
                   "Name one; `deconvoy models list` tells which there are.");
  }
  if (!method.needs_models() && !models.empty()) {
    return Invalid("deconvolve.models", fmt::format("is given, but `{}` uses none", method.name()),
                   "Leave it out, or choose the method `network`.");
  }
  for (const v1::ModelUse& use : models) {
    for (const v1::NetworkDescription& network : method.networks()) {
      if (network.name() == use.facts().network() && network.denoises()) {
        return Invalid("deconvolve.models", fmt::format("has {}, which only takes noise out", use.name()),
                       "Name a model that undoes a blur, or choose a method that takes a denoiser: `pnp-admm`.");
      }
    }
  }
  if (!models.empty() && !spec.psf_depths_um().empty()) {
    return Invalid("deconvolve.psf_depths_um", "is given, but models know one PSF", "Leave it out.");
  }
  for (const v1::ModelUse& use : models) {
    if (use.facts().normalisation().SerializeAsString() == models[0].facts().normalisation().SerializeAsString())
      continue;
    return Invalid("deconvolve.models", fmt::format("has {}, which is normalised otherwise than the first", use.name()),
                   "Name models that were trained with the same percentiles.");
  }
  const bool tells = models.size() > 1 || (!models.empty() && models[0].facts().head() == v1::PROBABILISTIC);
  if (!spec.spread() || tells) return absl::OkStatus();
  return Invalid("deconvolve.spread", "is asked for of one model that does not tell how sure it is",
                 "Name several models, or one that was trained with the probabilistic head.");
}

absl::Status CheckDenoiser(const v1::Method& network, const v1::DeconvolveSpec& given, const ModelUses& models) {
  RETURN_IF_ERROR(CheckUsable(network, "deconvolve.models"));
  if (models.size() != 1) {
    return Invalid("deconvolve.models", fmt::format("has {} models, but `{}` takes one", models.size(), given.method()),
                   "Name one that denoises.");
  }
  std::vector<std::string> denoising;
  for (const v1::NetworkDescription& known : network.networks()) {
    if (known.denoises()) denoising.push_back(known.name());
  }
  if (std::find(denoising.begin(), denoising.end(), models[0].facts().network()) == denoising.end()) {
    return Invalid(
        "deconvolve.models",
        fmt::format("has {} of `{}`, which takes no noise out", models[0].name(),
                    Printable(models[0].facts().network())),
        fmt::format("Name a model of {}, or choose the method `{}`.", fmt::join(denoising, ", "), kNetworkMethod));
  }
  if (given.parameters().contains(std::string(kDenoiser))) {
    return Invalid(fmt::format("deconvolve.parameters[\"{}\"]", kDenoiser), "is given, but the model takes its place",
                   "Leave one of them out.");
  }
  const char* field = given.spread()                      ? "deconvolve.spread"
                      : given.compared_tiles() > 0        ? "deconvolve.compared_tiles"
                      : !given.classical_method().empty() ? "deconvolve.classical_method"
                                                          : nullptr;
  if (field == nullptr) return absl::OkStatus();
  return Invalid(field, fmt::format("is given, but the model only takes noise out for `{}`", given.method()),
                 fmt::format("Leave it out, or choose the method `{}`.", kNetworkMethod));
}

absl::Status CheckComparable(const v1::Method& method) {
  const auto& boundaries = method.boundaries();
  const bool extends = std::find(boundaries.begin(), boundaries.end(), v1::EXTEND) != boundaries.end();
  if (IsClassical(method) && extends) return absl::OkStatus();
  return Invalid("deconvolve.classical_method", fmt::format("is `{}`, which is nothing to compare with", method.name()),
                 "Choose a method of one image and one PSF with the boundary EXTEND, such as `rl`.");
}

std::vector<v1::Finding> ModelFindings(const ModelUses& models, const v1::VoxelSize& voxel, bool restore) {
  std::vector<v1::Finding> findings;
  for (const v1::ModelUse& use : models) {
    v1::Finding& known = findings.emplace_back();
    known.set_severity(v1::INFO);
    known.set_message(fmt::format("model {}: `{}` with {} parameters", use.name(), Printable(use.facts().network()),
                                  use.facts().parameters()));
    auto& metadata = *known.mutable_info()->mutable_metadata();
    metadata["model"] = use.name();
    metadata["volume"] = use.volume();
    const std::string& digest = use.facts().digest();
    boost::algorithm::hex_lower(digest.begin(), digest.end(), std::back_inserter(metadata["digest"]));
    const bool program = use.facts().format() == v1::TORCHSCRIPT;
    if (program || (restore && use.facts().psf_digest().empty())) {
      v1::Finding& unknown = findings.emplace_back();
      unknown.set_severity(v1::WARNING);
      unknown.set_message(fmt::format(
          "{} does NOT tell which {} it was trained for: nothing says that what it makes of this image is true",
          program ? fmt::format("{} is a program that", use.name()) : fmt::format("the file of {}", use.name()),
          program ? "PSF and voxels" : "PSF"));
      unknown.mutable_info()->set_reason(v1::BAD_MODEL);
      unknown.mutable_info()->set_field("deconvolve.models");
      unknown.mutable_info()->set_remedy("Compare with a classical method, or train a model for this PSF.");
    }
    const v1::VoxelSize& own = use.facts().voxel_size();
    if (SameVoxel(voxel, own)) continue;
    v1::Finding& other = findings.emplace_back();
    other.set_severity(v1::WARNING);
    other.set_message(fmt::format("{} was trained for voxels of {}, but the image has voxels of {}", use.name(),
                                  VoxelText(own), VoxelText(voxel)));
    other.mutable_info()->set_reason(v1::VOXEL_SIZE_MISMATCH);
    other.mutable_info()->set_field("deconvolve.models");
    other.mutable_info()->set_remedy("Train a model for the image's voxels.");
  }
  return findings;
}

bool IsComparedTile(const v1::DeconvolveSpec& spec, int64_t tile, int64_t tiles) {
  const int64_t asked = spec.compared_tiles() == 0 ? kUsualComparedTiles : spec.compared_tiles();
  const int64_t count = std::clamp<int64_t>(asked, 0, tiles);
  // The k-th of them is the middle of the k-th of `count` equal parts.
  for (int64_t k = 0; k < count; ++k) {
    if ((2 * k + 1) * tiles / (2 * count) == tile) return true;
  }
  return false;
}

std::string NeededMethod(const v1::DeconvolveSpec& spec, const ModelUses& models) {
  if (models.empty()) return spec.method();
  const auto is_program = [](const v1::ModelUse& use) { return use.facts().format() == v1::TORCHSCRIPT; };
  const bool programs = std::any_of(models.begin(), models.end(), is_program);
  return MethodWithFormat(kNetworkMethod, programs ? v1::TORCHSCRIPT : v1::SAFETENSORS);
}

std::string NeededMethod(const v1::JobSpec& spec, const ModelUses& models) {
  if (spec.has_train_model()) return kNetworkMethod;
  if (spec.has_check_model()) return MethodWithFormat(kNetworkMethod, spec.check_model().format());
  return NeededMethod(spec.deconvolve(), models);
}

}  // namespace deconvoy::server
