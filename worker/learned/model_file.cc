#include "worker/learned/model_file.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kMostPsfExtent = 2047;

absl::Status Unfit(const std::string& what) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "model",
                    .remedy = "Give a model that was trained or exported by this version of the program."},
                   what);
}

using Named = std::vector<std::pair<std::string, torch::Tensor>>;

Named TensorsOf(const torch::nn::Module& module) {
  Named all;
  for (const auto& item : module.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

std::string TextOf(const Container& container, std::string_view name) {
  const auto text = container.texts.find(name);
  return text == container.texts.end() ? std::string() : text->second;
}

absl::StatusOr<double> NumberOf(const std::string& name, const std::string& text) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
    return Unfit(fmt::format("the model's {} is '{}', which is no number", name, Printable(text)));
  }
  return number;
}

// They are sent, kept and shown.
absl::Status CheckTexts(const Container& container) {
  for (const auto& [name, text] : container.texts) {
    if (text.size() <= kMostModelTextBytes) continue;
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "model",
                      .remedy = "Give a model that was trained or exported by this version of the program.",
                      .metadata = {{"limit", fmt::to_string(kMostModelTextBytes)}}},
                     fmt::format("the model's text '{}' has {} bytes, more than {}", Printable(name), text.size(),
                                 kMostModelTextBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelFacts> FactsOf(const Container& container) {
  RETURN_IF_ERROR(CheckTexts(container));
  ModelFacts facts;
  if (TextOf(container, "format") != "deconvoy-model" || TextOf(container, "version") != "1") {
    return Unfit(fmt::format("the file is of the format '{}', version '{}', and not a model of version 1",
                             Printable(TextOf(container, "format")), Printable(TextOf(container, "version"))));
  }
  facts.network = TextOf(container, "network");
  facts.psf_digest = TextOf(container, "psf_digest");
  facts.recipe = TextOf(container, "recipe");
  facts.evidence = TextOf(container, "evidence");
  const std::string head = TextOf(container, "head"), voxel = TextOf(container, "voxel_um");
  if (head != "plain" && head != "probabilistic") return Unfit(fmt::format("no head is '{}'", Printable(head)));
  facts.head = head == "plain" ? Head::kPlain : Head::kProbabilistic;
  const std::vector<std::string> sizes = absl::StrSplit(voxel, ' ', absl::SkipEmpty());
  for (const std::string& part : sizes) {
    ASSIGN_OR_RETURN(const double size, NumberOf("voxel_um", part));
    facts.voxel_um.push_back(size);
  }
  if (!facts.voxel_um.empty() && facts.voxel_um.size() != 3) return Unfit("the model's voxel_um are not three");
  ASSIGN_OR_RETURN(facts.percentiles.low, NumberOf("low_percentile", TextOf(container, "low_percentile")));
  ASSIGN_OR_RETURN(facts.percentiles.high, NumberOf("high_percentile", TextOf(container, "high_percentile")));
  if (facts.percentiles.low < 0 || facts.percentiles.high > 100 || facts.percentiles.low >= facts.percentiles.high) {
    return Unfit(fmt::format("the model's percentiles are {} and {}", facts.percentiles.low, facts.percentiles.high));
  }
  return facts;
}

// Zeros of the extents of the PSF that a network knows.
absl::StatusOr<torch::Tensor> RoomForPsf(const Container& container) {
  const auto psf = container.tensors.find("psf");
  if (psf == container.tensors.end()) return Unfit("the model's PSF is missing");
  const std::vector<int64_t>& shape = psf->second.shape;
  const bool fits = shape.size() == 3 && std::all_of(shape.begin(), shape.end(), [](int64_t extent) {
                      return extent % 2 == 1 && extent <= kMostPsfExtent;
                    });
  if (!fits) {
    return Unfit(fmt::format("the model's PSF has the extents [{}]; they must be three odd numbers of at most {}",
                             fmt::join(shape, ", "), kMostPsfExtent));
  }
  return torch::zeros(shape);
}

}  // namespace

Tensor32 ToTensor32(const torch::Tensor& tensor) {
  const torch::Tensor here = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const float* first = here.data_ptr<float>();
  return {here.sizes().vec(), {first, first + here.numel()}};
}

std::map<std::string, Tensor32, std::less<>> StoreTensors(const torch::nn::Module& module) {
  std::map<std::string, Tensor32, std::less<>> all;
  for (const auto& [name, tensor] : TensorsOf(module)) all.emplace(name, ToTensor32(tensor));
  return all;
}

absl::Status LoadTensors(const Container& container, const std::string& prefix, torch::nn::Module& module) {
  const torch::NoGradGuard no_gradients;
  std::set<std::string, std::less<>> known;
  for (auto& [plain_name, tensor] : TensorsOf(module)) {
    const std::string name = prefix + plain_name;
    known.insert(name);
    const auto stored = container.tensors.find(name);
    if (stored == container.tensors.end()) return Unfit(fmt::format("the array '{}' is missing", name));
    if (stored->second.shape != tensor.sizes().vec()) {
      return Unfit(fmt::format("the array '{}' has the extents [{}], and not [{}]", name,
                               fmt::join(stored->second.shape, ", "), fmt::join(tensor.sizes().vec(), ", ")));
    }
    const std::vector<float>& values = stored->second.values;
    const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (bad != values.end()) {
      return Unfit(fmt::format("number {} of the array '{}' is {}", bad - values.begin(), name, *bad));
    }
    tensor.copy_(torch::from_blob(const_cast<float*>(values.data()), tensor.sizes()));
  }
  for (const auto& [name, tensor] : container.tensors) {
    if (name.starts_with(prefix) && !known.contains(name)) {
      return Unfit(fmt::format("the network has no array '{}'", Printable(name)));
    }
  }
  return absl::OkStatus();
}

Container ToContainer(const Network& network, const ModelFacts& facts) {
  Container container;
  container.tensors = StoreTensors(network);
  container.texts = {{"format", "deconvoy-model"},
                     {"version", "1"},
                     {"network", facts.network},
                     {"head", facts.head == Head::kPlain ? "plain" : "probabilistic"},
                     {"psf_digest", facts.psf_digest},
                     {"voxel_um", fmt::format("{}", fmt::join(facts.voxel_um, " "))},
                     {"low_percentile", fmt::format("{}", facts.percentiles.low)},
                     {"high_percentile", fmt::format("{}", facts.percentiles.high)},
                     {"recipe", facts.recipe}};
  if (!facts.evidence.empty()) container.texts["evidence"] = facts.evidence;
  return container;
}

absl::StatusOr<LoadedNetwork> FromContainer(const Container& container) {
  LoadedNetwork loaded;
  ASSIGN_OR_RETURN(loaded.facts, FactsOf(container));
  loaded.kind = FindNetwork(loaded.facts.network);
  if (loaded.kind == nullptr) {
    std::vector<std::string> names;
    for (const NetworkKind& kind : AllNetworks()) names.emplace_back(kind.name);
    return Unfit(fmt::format("no network is called '{}'; there are {}", Printable(loaded.facts.network),
                             absl::StrJoin(names, ", ")));
  }
  if (loaded.kind->plain_only && loaded.facts.head != Head::kPlain) {
    return Unfit(fmt::format("{} has no probabilistic head", loaded.kind->name));
  }
  torch::Tensor psf;
  if (loaded.kind->knows_psf) {
    ASSIGN_OR_RETURN(psf, RoomForPsf(container));
  }
  loaded.network = MakeNetwork(loaded.facts.network, loaded.facts.head, psf);
  RETURN_IF_ERROR(LoadTensors(container, "", *loaded.network));
  return loaded;
}

}  // namespace deconvoy::worker::learned
