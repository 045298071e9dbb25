#include "worker/methods/rl.h"

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/back_projector.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr float kLeastBackground = 0.2F;  // of the model with another back projector, relative to the mean of y
constexpr float kFullWeight = 1;          // of another back projector
constexpr float kUnmatchedFloor = 1e-3F;  // of the estimate, relative to the mean of y

absl::StatusOr<BackProjection> MakeUnmatched(const Problem& problem, const Parameters& parameters) {
  BackProjection back;
  back.floor = kUnmatchedFloor * problem.mean;
  back.full_weight = kFullWeight;
  back.raise = std::max(kLeastBackground * problem.mean - problem.background, 0.0F);
  ASSIGN_OR_RETURN(back.own, MakeBackProjector(problem, parameters));
  back.otf = back.own.get();
  ASSIGN_OR_RETURN(back.w, problem.ops->MakeWeights(*back.otf, problem.measured->box(), problem.mask));
  return back;
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
      "Miller, IEEE Trans. Image Process. 23 (2014) 848; D. S. C. Biggs and M. Andrews, Appl. Opt. 36 (1997) 1766; "
      "M. Guo et al., Nat. Biotechnol. 38 (2020) 1337; X. Ruan et al., Nat. Methods 21 (2024) 2342");
  method.set_noise_model("Poisson");
  AddIterations(method, 30, "Number of iterations; heavy-ball needs about a quarter of the plain ones");
  AddAcceleration(method);
  AddBackProjector(method);
  AddInitialEstimate(method);
  AddAxialUpsample(method);
  AddCurve(method);
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

absl::StatusOr<std::vector<Advice>> RichardsonLucy::Review(const Parameters& parameters, const PsfFacts& psf) const {
  if (!parameters.IsAuto(kIterations)) {
    return ReviewBackProjector(parameters, parameters.Integer(kIterations), psf);
  }
  constexpr int64_t kMost = kMostCalibratedIterations;
  const int64_t matched = MatchedSteps(parameters, kMost);
  if (matched == 0 || matched == kMost) return ReviewBackProjector(parameters, kMost, psf);
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.parameters[\"iterations\"]",
                    .remedy = "Give a number of iterations, `matched_steps=0`, or `back_projector=matched`."},
                   "with `iterations=auto` all iterations must be alike, but the last ones would use the matched back "
                   "projector");
}

absl::StatusOr<std::unique_ptr<Array>> RichardsonLucy::Run(const Problem& problem, const Parameters& parameters,
                                                           Monitor& monitor) const {
  RETURN_IF_ERROR(Review(parameters, problem.psf).status());
  const int64_t iterations = parameters.Integer("iterations");
  const int64_t unmatched = iterations - MatchedSteps(parameters, iterations);
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  RlIteration run(problem, Acceleration(parameters.Choice("acceleration")), iterations, curve, monitor);
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  RETURN_IF_ERROR(run.Start(std::move(x)));
  if (unmatched > 0) {
    ASSIGN_OR_RETURN(const BackProjection back, MakeUnmatched(problem, parameters));
    RETURN_IF_ERROR(run.RunTo(unmatched, back, /*accelerated=*/true));
  }
  if (unmatched < iterations) {
    ASSIGN_OR_RETURN(const BackProjection matched, MakeMatched(problem));
    RETURN_IF_ERROR(run.RunTo(iterations, matched, /*accelerated=*/unmatched == 0));
  }
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
