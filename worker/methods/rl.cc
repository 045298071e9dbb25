#include "worker/methods/rl.h"

#include <algorithm>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"

namespace deconvoy::worker {
namespace {

constexpr float kDenominatorFloor = 1e-6F;  // e, relative to the mean of y
constexpr float kSmallestFloor = 1e-30F;    // for a blank frame
constexpr float kWeightFloor = 0.01F;
constexpr float kExtrapolationFloor = 0.1F;

// a in iteration k = 1, 2, ...
float HeavyBall(int64_t k) {
  return static_cast<float>(k - 1) / static_cast<float>(k + 2);
}

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl");
  method.set_title("Richardson-Lucy");
  method.set_summary(
      "Maximises the likelihood of photon counts, keeping the estimate non-negative. The method of choice for "
      "fluorescence stacks; more iterations sharpen and amplify noise.");
  method.set_citation(
      "W. H. Richardson, J. Opt. Soc. Am. 62 (1972) 55; L. B. Lucy, Astron. J. 79 (1974) 745; H. Wang and P. C. "
      "Miller, "
      "IEEE Trans. Image Process. 23 (2014) 848");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 30,
             "Number of iterations; heavy-ball needs about a quarter of the plain ones");
  AddChoice(method, "acceleration", "heavy-ball", "How iterations are extrapolated",
            {{"none", "Plain iterations", 0}, {"heavy-ball", "Momentum from the step before", 4}});
  AddInitialEstimate(method);
  AddBoolean(method, "objective", false,
             "Write the I-divergence of every iteration into the worker's log; takes longer");
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(12.3);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

}  // namespace

RichardsonLucy::RichardsonLucy() : description_(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> RichardsonLucy::Run(const Problem& problem, const Parameters& parameters,
                                                           Monitor& monitor) const {
  Ops& ops = *problem.ops;
  const Array& y = *problem.measured;
  const bool heavy_ball = parameters.Choice("acceleration") == "heavy-ball";
  const bool wants_objective = parameters.Boolean("objective");
  const int64_t iterations = parameters.Integer("iterations");
  const float floor = std::max(kDenominatorFloor * problem.mean, kSmallestFloor);
  double divergence = 0;

  ASSIGN_OR_RETURN(const auto w, ops.MakeWeights(*problem.otf, y.box(), problem.mask));
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  std::unique_ptr<Array> x_previous;
  if (heavy_ball) {
    ASSIGN_OR_RETURN(x_previous, ops.Allocate(x->box()));
  }

  for (int64_t k = 1; k <= iterations; ++k) {
    const Extrapolate p{.x = x.get(),
                        .x_previous = x_previous.get(),
                        .alpha = heavy_ball ? HeavyBall(k) : 0,
                        .floor = kExtrapolationFloor};
    const GuardedRatio ratio{.y = &y,
                             .mask = problem.mask,
                             .background = problem.background,
                             .floor = floor,
                             .output = nullptr,
                             .i_divergence = wants_objective ? &divergence : nullptr};
    const MultiplyUpdate update{
        .p = p, .weights = w.get(), .weight_floor = kWeightFloor, .output = heavy_ball ? x_previous.get() : x.get()};
    RETURN_IF_ERROR(ops.ConvolveThen({problem.otf, /*adjoint=*/false, p, ratio},
                                     {problem.otf, /*adjoint=*/true, Identity{nullptr}, update}));
    if (heavy_ball) std::swap(x, x_previous);
    RETURN_IF_ERROR(monitor.Iterated(k, iterations, wants_objective ? std::optional(divergence) : std::nullopt));
  }
  return x;
}

}  // namespace deconvoy::worker
