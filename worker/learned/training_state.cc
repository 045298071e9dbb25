#include "worker/learned/training_state.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/model_file.h"

namespace deconvoy::worker::learned {
namespace {

constexpr const char* kVersion = "2";  // of the file, and of what a training minimises

using nlohmann::json;

absl::Status Broken(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "train.state", .remedy = "Begin the training anew."},
                   fmt::format("a training cannot go on from this state: {}", what));
}

std::string DigestOf(const Recipe& recipe) {
  Sha256 digest;
  const std::string text = ToJson(recipe);
  digest.Update(std::as_bytes(std::span(text)));
  for (const GivenImage& given : recipe.images) {
    digest.Update(std::as_bytes(std::span(given.image)));
    digest.Update(std::as_bytes(std::span(given.target)));
  }
  return ToHex(digest.Finish());
}

void Add(const std::string& prefix, std::map<std::string, Tensor32, std::less<>> tensors, Container& container) {
  for (auto& [name, tensor] : tensors) container.tensors.emplace(prefix + name, std::move(tensor));
}

// The running means of one kind, by the parameters' names.
Container Named(const std::string& prefix, const Network& network, const std::vector<torch::Tensor>& means) {
  Container container;
  const auto parameters = network.named_parameters();
  for (size_t i = 0; i < means.size(); ++i) {
    container.tensors.emplace(prefix + parameters[i].key(), ToTensor32(means[i]));
  }
  return container;
}

absl::Status Load(const Container& container, const std::string& prefix, const Network& network,
                  std::vector<torch::Tensor>& means) {
  const torch::NoGradGuard no_gradients;
  const auto parameters = network.named_parameters();
  for (size_t i = 0; i < means.size(); ++i) {
    const auto stored = container.tensors.find(prefix + parameters[i].key());
    if (stored == container.tensors.end() || stored->second.shape != means[i].sizes().vec()) {
      return Broken(fmt::format("the array '{}{}' is missing or of other extents", prefix, parameters[i].key()));
    }
    means[i].copy_(torch::from_blob(const_cast<float*>(stored->second.values.data()), means[i].sizes()));
  }
  return absl::OkStatus();
}

std::string ProgressOf(const TrainingState& state) {
  json curve = json::array();
  for (const CurvePoint& point : state.curve) curve.push_back({point.step, point.training, point.validation});
  return json{{"step", state.step},
              {"best_step", state.best_step},
              {"best_loss", state.best_loss},
              {"parts_since_best", state.parts_since_best},
              {"curve", curve}}
      .dump();
}

absl::Status LoadProgress(const std::string& text, TrainingState& state) {
  try {
    const json progress = json::parse(text);
    state.step = progress.at("step").get<int64_t>();
    state.best_step = progress.at("best_step").get<int64_t>();
    state.best_loss = progress.at("best_loss").get<double>();
    state.parts_since_best = progress.at("parts_since_best").get<int64_t>();
    for (const json& point : progress.at("curve")) {
      state.curve.push_back({point.at(0).get<int64_t>(), point.at(1).get<double>(), point.at(2).get<double>()});
    }
  } catch (const json::exception& error) {
    return Broken(fmt::format("its progress cannot be read: {}", Printable(error.what())));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingState> EmptyState(const Recipe& recipe) {
  const torch::Tensor psf = recipe.psf.values.empty() ? torch::Tensor() : CentredPsf(recipe.psf);
  TrainingState state;
  state.now = MakeNetwork(recipe.network, recipe.head, psf);
  state.best = MakeNetwork(recipe.network, recipe.head, psf);
  for (const auto& network : {state.now, state.best}) network->to(torch::Device(recipe.device));
  state.adam = std::make_unique<Adam>(state.now->parameters());
  return state;
}

}  // namespace

absl::StatusOr<TrainingState> NewState(const Recipe& recipe) {
  ASSIGN_OR_RETURN(TrainingState state, EmptyState(recipe));
  DrawWeights(*state.now, recipe.seed);
  KeepBest(state);
  return state;
}

std::string StoreState(const TrainingState& state, const Recipe& recipe) {
  Container container;
  Add("now.", StoreTensors(*state.now), container);
  Add("best.", StoreTensors(*state.best), container);
  Add("", Named("mean.", *state.now, state.adam->means).tensors, container);
  Add("", Named("square.", *state.now, state.adam->squares).tensors, container);
  container.texts = {{"format", "deconvoy-training"},
                     {"version", kVersion},
                     {"recipe", DigestOf(recipe)},
                     {"progress", ProgressOf(state)}};
  return WriteContainer(container);
}

absl::StatusOr<TrainingState> LoadState(std::span<const std::byte> bytes, const Recipe& recipe) {
  ASSIGN_OR_RETURN(Container container, ReadContainer(bytes));
  if (container.texts["format"] != "deconvoy-training" || container.texts["version"] != kVersion) {
    return Broken("it is no state of a training");
  }
  if (container.texts["recipe"] != DigestOf(recipe)) return Broken("it is that of another recipe");
  ASSIGN_OR_RETURN(TrainingState state, EmptyState(recipe));
  RETURN_IF_ERROR(LoadTensors(container, "now.", *state.now));
  RETURN_IF_ERROR(LoadTensors(container, "best.", *state.best));
  RETURN_IF_ERROR(Load(container, "mean.", *state.now, state.adam->means));
  RETURN_IF_ERROR(Load(container, "square.", *state.now, state.adam->squares));
  RETURN_IF_ERROR(LoadProgress(container.texts["progress"], state));
  return state;
}

void KeepBest(TrainingState& state) {
  const torch::NoGradGuard no_gradients;
  const auto to = state.best->parameters(), from = state.now->parameters();
  for (size_t i = 0; i < to.size(); ++i) to[i].data().copy_(from[i]);
}

}  // namespace deconvoy::worker::learned
