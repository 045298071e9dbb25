#include "worker/methods/rl_iteration.h"

#include <algorithm>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"

namespace deconvoy::worker {
namespace {

constexpr float kDenominatorFloor = 1e-6F;  // e, relative to the mean of y
constexpr float kSmallestFloor = 1e-30F;    // for a blank frame
constexpr float kRoughnessFloor = 1e-3F;    // relative to the mean of y
constexpr float kLeastDenominator = 0.1F;   // of w, under a penalty

}  // namespace

float Acceleration::Factor(int64_t k, const ChangeProducts& products) const {
  if (heavy_ball_) return static_cast<float>(k - 1) / static_cast<float>(k + 2);
  if (!biggs_ || k < 3 || !(products.old_old > 0)) return 0;
  return static_cast<float>(std::clamp(products.new_old / products.old_old, 0.0, 1.0));
}

GuardedRatio QuotientOf(const Problem& problem, Measures* measures) {
  return {.y = problem.measured,
          .mask = problem.mask,
          .background = problem.background,
          .floor = std::max(kDenominatorFloor * problem.mean, kSmallestFloor),
          .output = nullptr,
          .i_divergence = measures != nullptr ? &measures->objective : nullptr,
          .squares = measures != nullptr ? &measures->squares : nullptr};
}

absl::StatusOr<BackProjection> MakeMatched(const Problem& problem) {
  BackProjection back;
  back.otf = problem.otf;
  ASSIGN_OR_RETURN(back.w, problem.ops->MakeWeights(*back.otf, problem.measured->box(), problem.mask));
  return back;
}

absl::Status RlIteration::Start(std::unique_ptr<Array> x) {
  x_ = std::move(x);
  if (acceleration_.needs_previous()) {
    ASSIGN_OR_RETURN(x_previous_, problem_.ops->Allocate(x_->box()));
  }
  if (acceleration_.needs_change()) {
    ASSIGN_OR_RETURN(change_, problem_.ops->Allocate(x_->box()));
  }
  if (penalty_.has_value()) {
    ASSIGN_OR_RETURN(roughness_, problem_.ops->Allocate(x_->box()));
  }
  return absl::OkStatus();
}

absl::Status RlIteration::RunTo(int64_t last, const BackProjection& back, bool accelerated) {
  while (done_ < last) {
    ++done_;
    Measures measures;
    const float alpha = accelerated ? acceleration_.Factor(done_, products_) : 0;
    RETURN_IF_ERROR(Step(back, alpha, curve_.Tells(done_) ? &measures : nullptr));
    RETURN_IF_ERROR(monitor_.Iterated({done_, iterations_, *x_, curve_.After(done_, measures)}));
  }
  return absl::OkStatus();
}

absl::Status RlIteration::Step(const BackProjection& back, float alpha, Measures* measures) {
  const Extrapolate p{.x = x_.get(), .x_previous = x_previous_.get(), .alpha = alpha, .floor = kExtrapolationFloor};
  if (penalty_.has_value()) {
    RETURN_IF_ERROR(
        problem_.ops->DeriveRoughness(penalty_->kind, p, problem_.differences, penalty_->floor, *roughness_));
  }
  GuardedRatio ratio = QuotientOf(problem_, measures);
  ratio.raise = back.raise;
  const MultiplyUpdate update{.p = p,
                              .weights = back.w.get(),
                              .weight_floor = kLeastWeight,
                              .output = x_previous_ != nullptr ? x_previous_.get() : x_.get(),
                              .floor = back.floor,
                              .full_weight = back.full_weight,
                              .penalty = roughness_.get(),
                              .strength = penalty_.has_value() ? penalty_->strength : 0,
                              .least_denominator = kLeastDenominator,
                              .change = change_.get(),
                              .products = change_ != nullptr ? &products_ : nullptr};
  RETURN_IF_ERROR(problem_.ops->ConvolveThen({problem_.otf, /*adjoint=*/false, p, ratio},
                                             {back.otf, /*adjoint=*/true, Identity{nullptr}, update}));
  if (x_previous_ != nullptr) std::swap(x_, x_previous_);
  return absl::OkStatus();
}

void AddAcceleration(v1::Method& method) {
  AddChoice(method, "acceleration", "heavy-ball", "How iterations are extrapolated",
            {{"none", "Plain iterations", 0},
             {"heavy-ball", "Momentum from the step before", 4},
             {"biggs-andrews", "Momentum as large as the last two steps agree", 8}});
}

void DescribePenalised(v1::Method& method, double lambda, std::string_view meaning) {
  method.set_noise_model("Poisson");
  AddIterations(method, 50, "Number of iterations");
  AddReal(method, "lambda", 0, 1, lambda, meaning);
  MakeAutomatic(method);
  AddAcceleration(method);
  AddInitialEstimate(method);
  AddAxialUpsample(method);
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(16.3);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
}

absl::StatusOr<std::unique_ptr<Array>> RunPenalised(const Problem& problem, const Parameters& parameters,
                                                    Roughness roughness, Monitor& monitor) {
  const int64_t iterations = parameters.Integer("iterations");
  const Penalty penalty{.kind = roughness,
                        .strength = static_cast<float>(parameters.Real("lambda")),
                        .floor = std::max(kRoughnessFloor * problem.mean, kSmallestFloor)};
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  RlIteration run(problem, Acceleration(parameters.Choice("acceleration")), iterations, curve, monitor, penalty);
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  RETURN_IF_ERROR(run.Start(std::move(x)));
  ASSIGN_OR_RETURN(const BackProjection back, MakeMatched(problem));
  RETURN_IF_ERROR(run.RunTo(iterations, back, /*accelerated=*/true));
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
