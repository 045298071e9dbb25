#include "worker/methods/initial_estimate.h"

#include <algorithm>
#include <string>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr float kLeastRatio = 1e-4F, kMostRatio = 1;
constexpr float kWienerFloor = 0.01F;  // of the mean
constexpr float kLeastModel = 0.5F;    // of the mean, which the model is

// x holds the mean, and in the end H*(k y) / w where w >= 0.01: a plain step, whose model is the mean.
absl::Status ContinueIntoMargin(const Problem& problem, Array& x) {
  Ops& ops = *problem.ops;
  const Box3& measured = problem.measured->box();
  if (measured == x.box() || !(problem.mean > 0)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto w, ops.MakeWeights(*problem.otf, measured, problem.mask));
  const Extrapolate p{.x = &x, .x_previous = nullptr, .alpha = 0, .floor = 0};
  const GuardedRatio ratio{.y = problem.measured,
                           .mask = problem.mask,
                           .background = 0,
                           .floor = kLeastModel * problem.mean,
                           .output = nullptr};
  const MultiplyUpdate update{.p = p, .weights = w.get(), .weight_floor = kLeastWeight, .output = &x, .floor = 0};
  return ops.ConvolveThen({problem.otf, /*adjoint=*/false, p, ratio},
                          {problem.otf, /*adjoint=*/true, Identity{nullptr}, update});
}

// x holds y with what continues it in the margin. As W keeps a constant, W x = m + W (x - m).
absl::Status ApplyWiener(const Problem& problem, Array& x) {
  Ops& ops = *problem.ops;
  ASSIGN_OR_RETURN(const auto wiener,
                   ops.FilterOtf(*problem.otf, {.alpha = NoiseToSignal(problem.mean, problem.variance)}));
  return ops.Convolve({wiener.get(), /*adjoint=*/true, Identity{&x},
                       Store{.output = &x, .offset = -problem.background, .floor = kWienerFloor * problem.mean}});
}

}  // namespace

void AddInitialEstimate(v1::Method& method) {
  AddChoice(method, "initial", "mean", "Estimate to start from",
            {{"mean", "The mean of the frame everywhere", 0},
             {"image", "The measured image; where it is 0 the estimate stays 0", 0},
             {"wiener", "The image after a Wiener filter; 4 bytes are for the filter, at the start only", 4},
             {"previous", "The result of the time point before; the first one starts from the mean", 4}});
}

absl::StatusOr<std::unique_ptr<Array>> InitialEstimate(const Problem& problem, const Parameters& parameters) {
  Ops& ops = *problem.ops;
  const std::string& initial = parameters.Choice("initial");
  const bool wiener = initial == "wiener";
  const Array* start = initial == "image" || wiener ? problem.measured
                       : initial == "previous"      ? problem.previous
                                                    : nullptr;

  ASSIGN_OR_RETURN(auto x, ops.Allocate(Box3{{}, ops.domain()}));
  RETURN_IF_ERROR(ops.Fill(*x, problem.mean));
  if (initial == "image" || wiener) RETURN_IF_ERROR(ContinueIntoMargin(problem, *x));
  if (start != nullptr) RETURN_IF_ERROR(ops.Copy(*start, problem.measured->box(), *x));
  if (wiener) RETURN_IF_ERROR(ApplyWiener(problem, *x));
  return x;
}

float NoiseToSignal(float mean, float variance) {
  const float signal = variance - mean;
  return signal > mean / kMostRatio ? std::max(mean / signal, kLeastRatio) : kMostRatio;
}

}  // namespace deconvoy::worker
