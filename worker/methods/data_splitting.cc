#include "worker/methods/data_splitting.h"

#include <algorithm>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr float kSmallestMean = 1e-30F;     // for a blank frame
constexpr float kDenominatorFloor = 1e-6F;  // of the model in the objective, relative to the mean

}  // namespace

float ScaleOf(const Problem& problem) {
  return std::max(problem.mean, kSmallestMean);
}

void AddNoise(v1::Method& method) {
  AddChoice(method, "noise", "poisson", "What the noise is like",
            {{"poisson", "As photons are counted", 0}, {"gaussian", "The same for every voxel, as for a mean one", 0}});
}

Noise NoiseOf(const Parameters& parameters) {
  return parameters.Choice("noise") == "gaussian" ? Noise::kGaussian : Noise::kPoisson;
}

void TellResiduals(const SplitNorms& norms, Measures& measures) {
  const auto over_size = [&norms](double squares) {
    if (norms.size > 0) return squares / norms.size;
    return squares > 0 ? 1.0 : 0.0;
  };
  measures.primal = over_size(norms.primal);
  measures.dual = over_size(norms.dual);
}

absl::Status DataSplitting::MakeInverse() {
  ASSIGN_OR_RETURN(std::vector<float> values, MagnitudeOf(*problem_.ops, *problem_.otf));
  for (float& v : values) v = v * v / options_.weight + 1;
  AddEigenvalues(problem_.ops->domain(), options_.slopes, options_.factors, values);
  for (float& v : values) v = 1 / (options_.weight * v);
  ASSIGN_OR_RETURN(inverse_, problem_.ops->MakeRealOtf(values));
  return absl::OkStatus();
}

DataSplit DataSplitting::Update(float scale) {
  return {.y = problem_.measured,
          .mask = problem_.mask,
          .background = problem_.background,
          .noise = options_.noise,
          .variance = ScaleOf(problem_),
          .rho = rho_,
          .scale = scale,
          .t = t_.get(),
          .output = nullptr};
}

absl::Status DataSplitting::Start(Array& x) {
  RETURN_IF_ERROR(MakeInverse());
  ASSIGN_OR_RETURN(t_, problem_.ops->Allocate(problem_.measured->box()));
  DataSplit split = Update(1);
  split.fresh = true;
  split.output = &x;
  RETURN_IF_ERROR(problem_.ops->Convolve({problem_.otf, /*adjoint=*/false, Identity{&x}, split}));
  ASSIGN_OR_RETURN(q_, problem_.ops->Transform(x));
  return absl::OkStatus();
}

absl::StatusOr<SplitNorms> DataSplitting::Solve(const Prologue& r, float scale, Measures* measures, Array& x) {
  SplitNorms norms;
  DataSplit split = Update(scale);
  split.relaxation = options_.relaxation;
  split.norms = &norms;
  split.objective = measures != nullptr ? &measures->objective : nullptr;
  split.squares = measures != nullptr ? &measures->squares : nullptr;
  split.floor = kDenominatorFloor * ScaleOf(problem_);
  RETURN_IF_ERROR(problem_.ops->SolveSplit({.otf = problem_.otf,
                                            .inverse = inverse_.get(),
                                            .q = q_.get(),
                                            .r = r,
                                            .weight = options_.weight,
                                            .x = Store{&x},
                                            .data = split}));
  rho_ /= scale;
  return norms;
}

}  // namespace deconvoy::worker
