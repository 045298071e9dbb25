#include "worker/methods/shrinkage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

constexpr int kMostScales = 6;

Wavelet WaveletOf(const std::string& name) {
  if (name == "spline1") return Wavelet::kSpline1;
  if (name == "spline3") return Wavelet::kSpline3;
  if (name == "spline5") return Wavelet::kSpline5;
  return Wavelet::kHaar;
}

absl::Status Invalid(const char* parameter, std::string remedy, const std::string& message) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = fmt::format("deconvolve.parameters[\"{}\"]", parameter),
                    .remedy = std::move(remedy)},
                   message);
}

absl::StatusOr<double> StepOf(double given, bool accelerated) {
  if (given == 0) return 1;
  if (accelerated ? given <= 1 : given < 2) return given;
  return Invalid("step", accelerated ? "Give a step of at most 1, or 0 for 1." : "Give a step below 2, or 0 for 1.",
                 fmt::format("with a step of {:g} the iteration would grow without limit", given));
}

// So many that the coarsest box still has two voxels along its longest axis.
absl::Status CheckScales(int64_t scales, const Shape3& domain) {
  const int64_t longest = std::max({domain.z, domain.y, domain.x});
  if ((longest >> scales) >= 2) return absl::OkStatus();
  int64_t most = 0;
  while ((longest >> (most + 1)) >= 2) ++most;
  return Invalid("scales", fmt::format("Give at most {} scales.", most),
                 fmt::format("{} scales are more than {} x {} x {} voxels have", scales, domain.z, domain.y, domain.x));
}

// Voxels of the domain from its origin to the first whose position in the frame is a multiple of `grid`.
Voxel StartOf(const Voxel& origin, int64_t grid, const Shape3& domain) {
  const auto along = [grid](int64_t first, int64_t extent) { return (grid - first % grid) % grid % extent; };
  return {along(origin.z, domain.z), along(origin.y, domain.y), along(origin.x, domain.x)};
}

class Shrinkage {
 public:
  Shrinkage(const Problem& problem, const Parameters& parameters, bool accelerated, double step, Monitor& monitor)
      : problem_(problem),
        ops_(*problem.ops),
        monitor_(monitor),
        accelerated_(accelerated),
        iterations_(parameters.Integer("iterations")),
        wants_objective_(parameters.Boolean("objective")),
        step_(step),
        lambda_(parameters.Real("lambda") > 0 ? parameters.Real("lambda")
                                              : std::sqrt(std::max(problem.mean, 0.0F)) / 2) {
    const int64_t scales = parameters.Integer("scales");
    shrinkage_ = {.wavelet = WaveletOf(parameters.Choice("wavelet")),
                  .scales = static_cast<int>(scales),
                  .threshold = static_cast<float>(step_ * lambda_ / 2),
                  .start = StartOf(problem.frame_origin, int64_t{1} << scales, ops_.domain())};
  }

  absl::StatusOr<std::unique_ptr<Array>> Run() {
    const Box3 whole{{}, ops_.domain()};
    ASSIGN_OR_RETURN(x_, ops_.Allocate(whole));
    if (accelerated_) {
      ASSIGN_OR_RETURN(x_previous_, ops_.Allocate(whole));
    }
    RETURN_IF_ERROR(Step(0));
    if (accelerated_) RETURN_IF_ERROR(ops_.Copy(*x_, whole, *x_previous_));
    double t = 1;
    for (int64_t done = 1; done <= iterations_; ++done) {
      const double next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
      RETURN_IF_ERROR(Step(accelerated_ ? (t - 1) / next : 0));
      t = next;
      RETURN_IF_ERROR(monitor_.Iterated(done, iterations_, objective_));
    }
    return std::move(x_);
  }

 private:
  // The objective takes the residual of p and the coefficients of x, as they are before the step.
  absl::Status Step(double alpha) {
    const Extrapolate p{
        .x = x_.get(), .x_previous = x_previous_.get(), .alpha = static_cast<float>(alpha), .floor = kNoFloor};
    double squares = 0;
    const Residual residual{.y = problem_.measured,
                            .mask = problem_.mask,
                            .background = problem_.background,
                            .output = nullptr,
                            .squares = wants_objective_ ? &squares : nullptr};
    const AddUpdate update{
        .p = p, .step = static_cast<float>(step_), .output = x_previous_ != nullptr ? x_previous_.get() : x_.get()};
    RETURN_IF_ERROR(ops_.ConvolveThen({problem_.otf, /*adjoint=*/false, p, residual},
                                      {problem_.otf, /*adjoint=*/true, Identity{nullptr}, update}));
    if (x_previous_ != nullptr) std::swap(x_, x_previous_);
    if (wants_objective_) objective_ = squares + lambda_ * coefficients_;
    ASSIGN_OR_RETURN(coefficients_, ops_.ShrinkWavelets(shrinkage_, *x_));
    return absl::OkStatus();
  }

  // Constant.
  const Problem& problem_;
  Ops& ops_;
  Monitor& monitor_;
  const bool accelerated_;
  const int64_t iterations_;
  const bool wants_objective_;
  const double step_;
  const double lambda_;
  WaveletShrinkage shrinkage_;

  // From iteration to iteration.
  std::unique_ptr<Array> x_, x_previous_;
  double coefficients_ = 0;  // their magnitudes in x
  std::optional<double> objective_;
};

}  // namespace

void DescribeShrinkage(v1::Method& method, bool accelerated) {
  method.set_noise_model("Gaussian");
  AddInteger(method, "iterations", 1, 10000, 50, "Number of iterations");
  AddReal(method, "step", 0, 2, 0, "Length of a step; 0: 1");
  AddChoice(method, "wavelet", "haar", "What the specimen is made of",
            {{"haar", "Blocks: edges stay sharp", 0},
             {"spline1", "Splines of degree 1", 0},
             {"spline3", "Splines of degree 3: smooth specimens", 0},
             {"spline5", "Splines of degree 5", 0}});
  AddInteger(method, "scales", 1, kMostScales, 3, "How often the coarse part is split again");
  AddReal(method, "lambda", 0, 1e9, 0,
          "Strength of the regularisation in photons; 0: half the root of the mean, the noise of a mean voxel");
  AddBoolean(method, "objective", false,
             "Write the objective of every iteration into the worker's log; takes a little longer");
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(accelerated ? 16.3 : 12.3);
  method.set_bytes_per_measured_voxel(4);
  method.add_backends("cpu");
}

absl::StatusOr<std::unique_ptr<Array>> ShrinkIteratively(const Problem& problem, const Parameters& parameters,
                                                         bool accelerated, Monitor& monitor) {
  ASSIGN_OR_RETURN(const double step, StepOf(parameters.Real("step"), accelerated));
  RETURN_IF_ERROR(CheckScales(parameters.Integer("scales"), problem.ops->domain()));
  return Shrinkage(problem, parameters, accelerated, step, monitor).Run();
}

}  // namespace deconvoy::worker
