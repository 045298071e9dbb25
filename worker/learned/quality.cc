#include "worker/learned/quality.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/examples.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::learned {
namespace {

// What of the image reaches its inner box through the model, from a multiple of the model's step on: images are larger
// by the PSF, which may be far more.
Box3 Reaching(const Scene& scene, const Model& model) {
  const Shape3 halo = model.halo();
  const Voxel end = scene.inner.end();
  const auto first = [step = model.kind().step](int64_t origin, int64_t reach) {
    return std::max<int64_t>(origin - reach, 0) / step * step;
  };
  const Voxel origin{first(scene.inner.origin.z, halo.z), first(scene.inner.origin.y, halo.y),
                     first(scene.inner.origin.x, halo.x)};
  return {origin,
          {std::min(end.z + halo.z, scene.shape.z) - origin.z, std::min(end.y + halo.y, scene.shape.y) - origin.y,
           std::min(end.x + halo.x, scene.shape.x) - origin.x}};
}

// Adds the figures of one specimen.
absl::Status Add(const Model& model, const Scene& scene, const Recipe& recipe, const Parameters& parameters,
                 Backend& backend, TrainingObserver& observer, Quality& sum) {
  const Method& rl = *FindMethod("rl");
  ASSIGN_OR_RETURN(const std::vector<float> classical, RunMethod(scene, recipe, rl, parameters, backend, &observer));
  const Scale scale = ScaleOf(scene.image, model.facts().percentiles);
  const Box3 seen = Reaching(scene, model);
  ASSIGN_OR_RETURN(const Estimate estimate, model.Apply(Cut(scene.image, scene.shape, seen), seen.shape, scale));
  std::vector<float> raw = scene.image;
  for (float& value : raw) value -= static_cast<float>(recipe.background);
  const std::vector<float> truth = Cut(scene.truth, scene.shape, scene.inner);
  const auto judge = [&](const std::vector<float>& values, const Box3& box, double& nrmse, double& ncc) {
    const std::vector<float> inner = Cut(values, box.shape, {scene.inner.origin - box.origin, scene.inner.shape});
    nrmse += NrmseOf(inner, truth);
    ncc += NccOf(inner, truth);
  };
  const Box3 whole{{}, scene.shape};
  judge(raw, whole, sum.raw_nrmse, sum.raw_ncc);
  judge(classical, whole, sum.rl_nrmse, sum.rl_ncc);
  judge(estimate.value, seen, sum.nrmse, sum.ncc);
  return absl::OkStatus();
}

// The same of a denoiser, which is judged by the specimen with noise alone.
absl::Status AddDenoised(const Model& model, const Example& example, const Shape3& shape, Quality& sum) {
  ASSIGN_OR_RETURN(const Estimate estimate, model.Apply(example.input, shape, {}, example.noise));
  sum.raw_nrmse += NrmseOf(example.input, example.target);
  sum.raw_ncc += NccOf(example.input, example.target);
  sum.nrmse += NrmseOf(estimate.value, example.target);
  sum.ncc += NccOf(estimate.value, example.target);
  return absl::OkStatus();
}

}  // namespace

double NrmseOf(std::span<const float> values, std::span<const float> truth) {
  double squares = 0, size = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - truth[i];
    squares += difference * difference;
    size += static_cast<double>(truth[i]) * truth[i];
  }
  return std::sqrt(squares / std::max(size, 1e-30));
}

double NccOf(std::span<const float> values, std::span<const float> truth) {
  const auto n = static_cast<double>(truth.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n,
               true_mean = std::accumulate(truth.begin(), truth.end(), 0.0) / n;
  double products = 0, squares = 0, true_squares = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double a = values[i] - mean, b = truth[i] - true_mean;
    products += a * b;
    squares += a * a;
    true_squares += b * b;
  }
  return squares > 0 && true_squares > 0 ? products / std::sqrt(squares * true_squares) : 0;
}

absl::StatusOr<std::vector<Quality>> Judge(const Model& model, const Recipe& recipe, int64_t specimens,
                                           Backend& backend, TrainingObserver& observer) {
  const Method& rl = *FindMethod("rl");
  ASSIGN_OR_RETURN(const Parameters parameters,
                   ResolveParameters(rl.description(), {{"iterations", "20"}, {"acceleration", "none"}}));
  Examples examples(recipe, backend, &observer);
  std::vector<Quality> all;
  std::vector<v1::SpecimenKind> kinds = recipe.kinds;
  kinds.insert(kinds.end(), recipe.held_out.begin(), recipe.held_out.end());
  const auto total = static_cast<int64_t>(kinds.size()) * specimens;
  int64_t done = 0;
  for (size_t k = 0; k < kinds.size(); ++k) {
    Quality sum{.kind = kinds[k], .held_out = k >= recipe.kinds.size()};
    for (int64_t i = 0; i < specimens; ++i) {
      if (recipe.source == Source::kDenoise) {
        ASSIGN_OR_RETURN(const Example example, examples.HeldBackNoisy(kinds[k], i));
        RETURN_IF_ERROR(AddDenoised(model, example, recipe.patch, sum));
      } else {
        ASSIGN_OR_RETURN(const Scene scene, examples.HeldBack(kinds[k], i));
        RETURN_IF_ERROR(Add(model, scene, recipe, parameters, backend, observer, sum));
      }
      RETURN_IF_ERROR(observer.Stepped(++done, total));
    }
    for (double* figure : {&sum.raw_nrmse, &sum.raw_ncc, &sum.rl_nrmse, &sum.rl_ncc, &sum.nrmse, &sum.ncc}) {
      *figure /= static_cast<double>(std::max<int64_t>(specimens, 1));
    }
    all.push_back(sum);
  }
  return all;
}

}  // namespace deconvoy::worker::learned
