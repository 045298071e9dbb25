#include "worker/learned/training.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/imaging/random.h"
#include "worker/learned/blur.h"
#include "worker/learned/examples.h"
#include "worker/learned/model_file.h"
#include "worker/learned/quality.h"
#include "worker/learned/tensor_memory.h"
#include "worker/learned/torch_status.h"
#include "worker/learned/training_state.h"

namespace deconvoy::worker::learned {
namespace {

constexpr double kLeastRate = 0.01;  // over the first one
// Of what an example's range counts as, over its own: from two thirds to twice, for patches that are dark in a frame
// with something bright.
constexpr double kLeastLogRange = -0.4, kMostLogRange = 0.8;
constexpr double kHiddenShare = 1.0 / 32;  // of the voxels, with kBlindSpot
constexpr double kLeastLight = 1e-3;       // mean square of a target
constexpr double kLeastError = 1e-10;      // squared, whose logarithm is taken
constexpr int64_t kLookedAt = 32;          // examples, for the statistics of patches

// Patches as a network takes them.
struct Batch {
  torch::Tensor input, target;  // [n, 1, z, y, x], normalised
  torch::Tensor noise;          // [n]
  torch::Tensor hidden;         // 1 where a voxel of the input is hidden, else 0; undefined unless with kBlindSpot
};

class Trainer {
 public:
  Trainer(const Recipe& recipe, Backend& backend, TrainingObserver& observer)
      : recipe_(recipe), device_(recipe.device), observer_(observer), examples_(recipe, backend, &observer) {}

  absl::StatusOr<double> Step(TrainingState& state) {
    ASSIGN_OR_RETURN(const Batch batch, BatchOf(state.step));
    if (state.step == 0) {
      state.now->Settle(batch.input);
      KeepBest(state);
    }
    const torch::Tensor loss = Loss(*state.now, batch);
    const double value = loss.item<double>();
    loss.backward();
    const double done = static_cast<double>(state.step) / static_cast<double>(recipe_.steps);
    const double fallen = kLeastRate + (1 - kLeastRate) * (1 + std::cos(std::numbers::pi * done)) / 2;
    if (!std::isfinite(value) || !state.adam->Step(state.step + 1, recipe_.learning_rate * fallen)) {
      return MakeError({.reason = v1::BAD_OUTPUT,
                        .field = "train_model.learning_rate",
                        .remedy = "Train with a lower learning rate."},
                       fmt::format("after {} steps the loss is {} and no gradient can be followed", state.step, value));
    }
    ++state.step;
    return value;
  }

  // The mean loss over the examples of the validation.
  absl::StatusOr<double> Validate(Network& network) {
    const torch::NoGradGuard no_gradients;
    double sum = 0;
    for (int64_t i = 0; i < recipe_.validation; ++i) {
      RETURN_IF_ERROR(observer_.GoOn());
      ASSIGN_OR_RETURN(const Example* example, examples_.Validation(i));
      const auto key = static_cast<uint64_t>(i);
      const Batch batch = Stack({Normalised(*example, 1, Random::OfVoxel(recipe_.seed, 33, key))});
      sum += Loss(network, batch).item<double>();
    }
    return sum / static_cast<double>(recipe_.validation);
  }

 private:
  absl::StatusOr<Batch> BatchOf(int64_t step) {
    std::vector<Batch> patches;
    for (int64_t i = 0; i < recipe_.batch; ++i) {
      Random random = Random::OfVoxel(recipe_.seed, 31, static_cast<uint64_t>(step * recipe_.batch + i));
      ASSIGN_OR_RETURN(const Example* example, examples_.Training(random.Below(recipe_.specimens)));
      const double range = std::exp(random.Uniform(kLeastLogRange, kMostLogRange));
      patches.push_back(Normalised(*example, range, random));
    }
    return Stack(patches);
  }

  // `factor` times the example's range counts, so that a model does not rely on where its patches' brightest voxels
  // lie.
  Batch Normalised(const Example& example, double factor, Random random) const {
    const auto tensor = [this](const std::vector<float>& values) {
      return torch::from_blob(const_cast<float*>(values.data()),
                              {1, 1, recipe_.patch.z, recipe_.patch.y, recipe_.patch.x})
          .clone();
    };
    Batch patch{tensor(example.input), tensor(example.target), torch::full({1}, example.noise), {}};
    if (recipe_.source == Source::kDenoise) return patch;
    const double range = factor * static_cast<double>(example.scale.range);
    const bool target_is_image = recipe_.source == Source::kDegradation || recipe_.source == Source::kBlindSpot;
    patch.input = (patch.input - example.scale.offset) / range;
    patch.target = (patch.target - (target_is_image ? example.scale.offset : 0.0F)) / range;
    if (recipe_.source == Source::kBlindSpot) Hide(random, patch);
    return patch;
  }

  // Some voxels of the input become the means of those around them.
  static void Hide(Random& random, Batch& patch) {
    patch.hidden = torch::zeros_like(patch.input);
    float* hidden = patch.hidden.data_ptr<float>();
    for (int64_t i = 0; i < patch.hidden.numel(); ++i) hidden[i] = random.Uniform() < kHiddenShare ? 1.0F : 0.0F;
    const torch::Tensor around = torch::avg_pool3d(patch.input, 3, 1, 1, false, /*count_include_pad=*/true) * 27;
    const torch::Tensor voxels = torch::avg_pool3d(torch::ones_like(patch.input), 3, 1, 1, false, true) * 27;
    const torch::Tensor mean = (around - patch.input) / (voxels - 1).clamp_min(1);
    patch.input = patch.input * (1 - patch.hidden) + mean * patch.hidden;
  }

  Batch Stack(const std::vector<Batch>& patches) const {
    const auto stacked = [&](torch::Tensor Batch::*part) {
      std::vector<torch::Tensor> all;
      for (const Batch& patch : patches) all.push_back(patch.*part);
      return all.front().defined() ? torch::cat(all).to(device_) : torch::Tensor();
    };
    return {stacked(&Batch::input), stacked(&Batch::target), stacked(&Batch::noise), stacked(&Batch::hidden)};
  }

  torch::Tensor Loss(Network& network, const Batch& batch) const {
    const bool slices = DegradesSlices(recipe_);
    const torch::Tensor r =
        slices ? network.RestoreXz(batch.input, batch.noise) : network.Restore(batch.input, batch.noise);
    if (recipe_.source == Source::kBlindSpot) {
      const Blur blur(CentredPsf(recipe_.psf).to(device_), batch.input);
      const torch::Tensor gap = (blur.Apply(r) - batch.target) * batch.hidden;
      return gap.square().sum() / batch.hidden.sum().clamp_min(1);
    }
    if (recipe_.head == Head::kPlain) {
      const torch::Tensor squares = (r - batch.target).square();
      if (slices) return 10 * squares.mean({1, 2, 3, 4}).clamp_min(kLeastError).log10().mean();
      if (recipe_.source == Source::kDenoise) return squares.mean();
      // Over the target's own light, so that a few bright voxels count as much as a specimen full of light.
      const torch::Tensor light = batch.target.square().mean({1, 2, 3, 4});
      return (squares.mean({1, 2, 3, 4}) / light.clamp_min(kLeastLight)).mean();
    }
    const torch::Tensor log_scale = r.slice(1, 1).clamp(-kLargestLogScale, kLargestLogScale);
    return ((r.slice(1, 0, 1) - batch.target).abs() * torch::exp(-log_scale) + log_scale).mean();
  }

  const Recipe& recipe_;
  const torch::Device device_;
  TrainingObserver& observer_;
  Examples examples_;
};

absl::StatusOr<TrainingState> StateOf(const Recipe& recipe, std::span<const std::byte> bytes) {
  return bytes.empty() ? NewState(recipe) : LoadState(bytes, recipe);
}

absl::StatusOr<TrainedPart> Train(const Recipe& recipe, std::span<const std::byte> bytes, int64_t last_step,
                                  Backend& backend, TrainingObserver& observer) {
  ASSIGN_OR_RETURN(TrainingState state, StateOf(recipe, bytes));
  const KeptTensorMemory kept;
  Trainer trainer(recipe, backend, observer);
  const int64_t first_step = state.step, last = std::min(last_step, recipe.steps);
  double sum = 0;
  while (state.step < last) {
    ASSIGN_OR_RETURN(const double loss, trainer.Step(state));
    sum += loss;
    RETURN_IF_ERROR(observer.Stepped(state.step, recipe.steps));
  }
  ASSIGN_OR_RETURN(const double validation, trainer.Validate(*state.now));
  if (!std::isfinite(validation)) {
    return MakeError(
        {.reason = v1::BAD_OUTPUT, .field = "train_model.learning_rate", .remedy = "Train with a lower learning rate."},
        fmt::format("after {} steps the loss of the validation is {}", state.step, validation));
  }
  const auto steps = static_cast<double>(std::max<int64_t>(state.step - first_step, 1));
  const CurvePoint point{state.step, sum / steps, validation};
  const bool better = state.curve.empty() || validation < state.best_loss;
  state.curve.push_back(point);
  state.parts_since_best = better ? 0 : state.parts_since_best + 1;
  if (better) {
    state.best_loss = validation;
    state.best_step = state.step;
    KeepBest(state);
  }
  const bool stopped = recipe.patience > 0 && state.parts_since_best >= recipe.patience;
  return TrainedPart{StoreState(state, recipe), point, state.best_step, stopped || state.step >= recipe.steps};
}

// Of the first examples that a training learns from; of what slices are cut from, since they are no volume.
absl::StatusOr<PatchStatistics> StatisticsOf(const Recipe& recipe, Backend& backend, TrainingObserver& observer) {
  Examples examples(recipe, backend, &observer);
  std::vector<Figures> all;
  const auto look = [&all](const std::vector<float>& values, const Shape3& shape, const Scale& scale) {
    const std::vector<Figures> patches = FiguresOfPatches(values, shape, scale);
    all.insert(all.end(), patches.begin(), patches.end());
  };
  const bool slices = DegradesSlices(recipe), given_slices = slices && !recipe.images.empty();
  if (given_slices) {
    for (const GivenImage& given : recipe.images) look(given.image, given.shape, ScaleOf(given.image, {}));
  }
  for (int64_t i = 0; i < (given_slices ? 0 : std::min(recipe.specimens, kLookedAt)); ++i) {
    // The image that a method would see, without what the method makes of it.
    if (recipe.source == Source::kMethod || slices) {
      ASSIGN_OR_RETURN(const Scene scene,
                       examples.HeldBack(recipe.kinds[static_cast<size_t>(i) % recipe.kinds.size()], -1 - i));
      look(scene.image, scene.shape, ScaleOf(scene.image, {}));
      continue;
    }
    ASSIGN_OR_RETURN(const Example* example, examples.Training(i));
    look(example->input, recipe.patch, example->scale);
  }
  return all.size() < 2 ? PatchStatistics{} : Summarise(all);
}

absl::StatusOr<TrainedModel> Finish(const Recipe& recipe, std::span<const std::byte> bytes, int64_t specimens,
                                    Backend& backend, TrainingObserver& observer) {
  ASSIGN_OR_RETURN(TrainingState state, LoadState(bytes, recipe));
  const ModelFacts facts{.network = recipe.network,
                         .head = recipe.head,
                         .psf_digest = recipe.psf.values.empty() ? "" : PsfDigest(recipe.psf),
                         .voxel_um = recipe.voxel_um,
                         .recipe = ToJson(recipe)};
  TrainedModel trained{
      WriteContainer(ToContainer(*state.best, facts)), std::move(state.curve), state.best_step, {}, {}};
  ASSIGN_OR_RETURN(trained.patches, StatisticsOf(recipe, backend, observer));
  if (recipe.source == Source::kPairs || !recipe.images.empty()) return trained;
  ASSIGN_OR_RETURN(const auto model, LoadModel(std::as_bytes(std::span(trained.file)), recipe.device));
  ASSIGN_OR_RETURN(trained.quality, Judge(*model, recipe, specimens, backend, observer));
  return trained;
}

}  // namespace

absl::StatusOr<TrainedPart> TrainPart(const Recipe& recipe, std::span<const std::byte> state, int64_t last_step,
                                      Backend& backend, TrainingObserver& observer) {
  RETURN_IF_ERROR(CheckRecipe(recipe));
  return Guarded("training", [&] { return Train(recipe, state, last_step, backend, observer); });
}

absl::StatusOr<TrainedModel> FinishTraining(const Recipe& recipe, std::span<const std::byte> state, int64_t specimens,
                                            Backend& backend, TrainingObserver& observer) {
  RETURN_IF_ERROR(CheckRecipe(recipe));
  return Guarded("finishing a training", [&] { return Finish(recipe, state, specimens, backend, observer); });
}

}  // namespace deconvoy::worker::learned
