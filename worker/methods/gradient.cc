#include "worker/methods/gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

// A hair beside the bound, as it was computed in single precision.
constexpr double kTolerance = 1e-4;

absl::StatusOr<double> StepOf(double given, bool nesterov, double curvature) {
  if (given == 0) return 1 / curvature;
  const double bound = (nesterov ? 1 : 2) / curvature;
  if (nesterov ? given <= bound * (1 + kTolerance) : given < bound) return given;
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.parameters[\"step\"]",
                    .remedy = fmt::format("Give a step {} {:.4g} for this PSF, or 0 for {:.4g}.",
                                          nesterov ? "of at most" : "below", bound, 1 / curvature)},
                   fmt::format("with a step of {:g} the iteration would grow without limit{}", given,
                               nesterov ? " under momentum" : ""));
}

class Descent {
 public:
  Descent(const Problem& problem, const Parameters& parameters, const DescentOptions& options, Monitor& monitor)
      : problem_(problem),
        ops_(*problem.ops),
        options_(options),
        monitor_(monitor),
        iterations_(parameters.Integer("iterations")),
        given_step_(parameters.Real("step")) {}

  absl::Status Begin(const Parameters& parameters) {
    ASSIGN_OR_RETURN(curve_, Curve::Of(problem_, parameters, monitor_));
    const Box3 whole{{}, ops_.domain()};
    double curvature = 1;
    if (options_.lambda > 0) {
      ASSIGN_OR_RETURN(curvature, MakeSmoother());
      ASSIGN_OR_RETURN(smoothed_, ops_.Allocate(whole));
    }
    ASSIGN_OR_RETURN(step_, StepOf(given_step_, options_.nesterov, curvature));
    if (options_.wavelets.has_value()) {
      wavelets_ = *options_.wavelets;
      wavelets_.threshold = static_cast<float>(step_ * options_.sparsity / 2);
    }
    ASSIGN_OR_RETURN(x_, ops_.Allocate(whole));
    if (options_.nesterov) {
      ASSIGN_OR_RETURN(x_previous_, ops_.Allocate(whole));
    }
    return Step(0, nullptr);
  }

  absl::Status Run() {
    if (options_.nesterov) RETURN_IF_ERROR(ops_.Copy(*x_, x_->box(), *x_previous_));
    double t = 1;
    for (int64_t done = 1; done <= iterations_; ++done) {
      const double next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
      Measures measures;
      RETURN_IF_ERROR(Step(options_.nesterov ? (t - 1) / next : 0, curve_.Tells(done) ? &measures : nullptr));
      t = next;
      RETURN_IF_ERROR(monitor_.Iterated({done, iterations_, *x_, curve_.After(done, measures)}));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Array> TakeEstimate() { return std::move(x_); }

 private:
  // Makes L*L and tells K.
  absl::StatusOr<double> MakeSmoother() {
    const std::vector<float> powers = FourthPowers(ops_.domain(), 1);
    ASSIGN_OR_RETURN(const std::vector<float> magnitude, MagnitudeOf(ops_, *problem_.otf));
    double curvature = 1;
    for (size_t i = 0; i < powers.size(); ++i) {
      curvature = std::max(curvature, static_cast<double>(magnitude[i]) * magnitude[i] + options_.lambda * powers[i]);
    }
    ASSIGN_OR_RETURN(smoother_, ops_.MakeRealOtf(powers));
    return curvature;
  }

  // |L p|^2 = <p, L*L p>, where `smoothed_` is L*L p.
  absl::StatusOr<double> RoughnessAt(double alpha) {
    ASSIGN_OR_RETURN(const double of_x, ops_.Dot(*x_, *smoothed_, x_->box()));
    if (alpha == 0) return of_x;
    ASSIGN_OR_RETURN(const double of_previous, ops_.Dot(*x_previous_, *smoothed_, x_->box()));
    return of_x + alpha * (of_x - of_previous);
  }

  // `measures`: of p; null: none.
  absl::Status Step(double alpha, Measures* measures) {
    const Extrapolate p{
        .x = x_.get(), .x_previous = x_previous_.get(), .alpha = static_cast<float>(alpha), .floor = kNoFloor};
    double roughness = 0;
    if (smoother_ != nullptr) {
      RETURN_IF_ERROR(ops_.Convolve({smoother_.get(), /*adjoint=*/false, p, Store{smoothed_.get()}}));
      if (measures != nullptr) {
        ASSIGN_OR_RETURN(roughness, RoughnessAt(alpha));
      }
    }
    const Residual residual{.y = problem_.measured,
                            .mask = problem_.mask,
                            .background = problem_.background,
                            .output = nullptr,
                            .squares = measures != nullptr ? &measures->squares : nullptr};
    const AddUpdate update{.p = p,
                           .step = static_cast<float>(step_),
                           .output = x_previous_ != nullptr ? x_previous_.get() : x_.get(),
                           .addend = smoothed_.get(),
                           .scale = static_cast<float>(-step_ * options_.lambda),
                           .floor = options_.floor,
                           .ceiling = options_.ceiling};
    RETURN_IF_ERROR(ops_.ConvolveThen({problem_.otf, /*adjoint=*/false, p, residual},
                                      {problem_.otf, /*adjoint=*/true, Identity{nullptr}, update}));
    if (x_previous_ != nullptr) std::swap(x_, x_previous_);
    if (measures != nullptr) {
      measures->objective = measures->squares + options_.lambda * roughness + options_.sparsity * coefficients_;
    }
    if (options_.wavelets.has_value()) {
      ASSIGN_OR_RETURN(coefficients_, ops_.ShrinkWavelets(wavelets_, *x_));
    }
    if (options_.clean) return options_.clean(*x_, step_);
    return absl::OkStatus();
  }

  // Constant.
  const Problem& problem_;
  Ops& ops_;
  const DescentOptions options_;
  Monitor& monitor_;
  const int64_t iterations_;
  const double given_step_;  // 0: the default
  Curve curve_;
  double step_ = 0;
  std::unique_ptr<Otf> smoother_;  // L*L; null without lambda
  WaveletShrinkage wavelets_;

  // From iteration to iteration.
  std::unique_ptr<Array> x_, x_previous_, smoothed_;
  double coefficients_ = 0;  // their magnitudes in x
};

}  // namespace

bool IsNesterov(const Parameters& parameters) {
  return parameters.Choice("acceleration") == "nesterov";
}

absl::StatusOr<std::vector<Advice>> DescentMethod::Review(const Parameters& parameters, const PsfFacts& /*psf*/) const {
  constexpr double kLeastCurvature = 1;  // of any PSF of sum 1, at zero frequency
  const bool nesterov = momentum_ == Momentum::kAlways || (momentum_ == Momentum::kChosen && IsNesterov(parameters));
  RETURN_IF_ERROR(StepOf(parameters.Real("step"), nesterov, kLeastCurvature).status());
  return std::vector<Advice>{};
}

// w^4 is largest where |h^| has nearly gone, at the corner of all frequencies.
absl::Status CheckSmoothStep(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame) {
  double square = 0;
  for (const int64_t extent : {frame.z, frame.y, frame.x}) {
    if (extent > 1) square += std::numbers::pi * std::numbers::pi;
  }
  const double corner = psf.at_corner * psf.at_corner + parameters.Real("lambda") * square * square;
  return StepOf(parameters.Real("step"), IsNesterov(parameters), std::max(1.0, corner)).status();
}

void DescribeDescent(v1::Method& method, bool smooth) {
  constexpr int64_t kIterations = 50;
  method.set_noise_model("Gaussian");
  AddInteger(method, "iterations", 1, 10000, kIterations, "Number of iterations; more sharpen and amplify noise");
  AddReal(method, "step", 0, 2, 0, "Length of a step; 0: the inverse of the largest curvature");
  AddChoice(method, "acceleration", "none", "How iterations are extrapolated",
            {{"none", "Plain iterations", 0},
             {"nesterov", "Momentum: as far in about the root of the number of iterations", 4}});
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(smooth ? 6 : 4);
  method.set_bytes_per_padded_voxel(smooth ? 18.3 : 12.3);
  method.set_bytes_per_measured_voxel(4);
  method.add_backends("cpu");
}

absl::StatusOr<std::unique_ptr<Array>> Descend(const Problem& problem, const Parameters& parameters,
                                               const DescentOptions& options, Monitor& monitor) {
  Descent descent(problem, parameters, options, monitor);
  RETURN_IF_ERROR(descent.Begin(parameters));
  RETURN_IF_ERROR(descent.Run());
  return descent.TakeEstimate();
}

}  // namespace deconvoy::worker
