#include "worker/methods/rl_tv.h"

#include <algorithm>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr float kFloor = 1e-3F;           // of the mean: gradients below it count as flat
constexpr float kSmallestFloor = 1e-30F;  // for a blank frame

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl-tv");
  method.set_title("Richardson-Lucy with total variation");
  method.set_summary(
      "Richardson-Lucy that keeps edges and flattens what lies between. For noisy data with sharp structures; needs "
      "more "
      "iterations than rl and forgives too many.");
  method.set_citation("N. Dey et al., Microsc. Res. Tech. 69 (2006) 260");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 50, "Number of iterations");
  AddReal(method, "lambda", 0, 1, 2e-3, "Strength of the regularisation: larger is flatter");
  AddAcceleration(method);
  AddInitialEstimate(method);
  AddBoolean(method, "objective", false,
             "Write the I-divergence of every iteration into the worker's log; takes longer");
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(16.3);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

}  // namespace

RlTotalVariation::RlTotalVariation() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> RlTotalVariation::Run(const Problem& problem, const Parameters& parameters,
                                                             Monitor& monitor) const {
  const int64_t iterations = parameters.Integer("iterations");
  const Penalty penalty{.kind = Roughness::kTotalVariation,
                        .strength = static_cast<float>(parameters.Real("lambda")),
                        .floor = std::max(kFloor * problem.mean, kSmallestFloor)};
  RlIteration run(problem, Acceleration(parameters.Choice("acceleration")), iterations, parameters.Boolean("objective"),
                  monitor, penalty);
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  RETURN_IF_ERROR(run.Start(std::move(x)));
  ASSIGN_OR_RETURN(const BackProjection back, MakeMatched(problem));
  RETURN_IF_ERROR(run.RunTo(iterations, back, /*accelerated=*/true));
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
