#include "worker/methods/pnp_admm.h"

#include <string>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/data_splitting.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("pnp-admm");
  method.set_title("Plug-and-play ADMM");
  method.set_summary(
      "Alternates between what the data say and a denoiser, which stands for what is known of the specimen. For noisy "
      "data.");
  method.set_citation("S. V. Venkatakrishnan et al., GlobalSIP (2013) 945");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 50, "Number of iterations");
  AddDenoiser(method, 10);
  AddNoise(method);
  AddReal(method, "weight", 1e-6, 1, 0.01, "Penalty of the copy of x over that of the copy of H x");
  AddInitialEstimate(method);
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_halo_factor(3);
  method.set_bytes_per_padded_voxel(22.6);
  method.set_bytes_per_measured_voxel(8);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

// z2 and u2 of x + u2, which u2 holds; x then holds z2 - u2.
absl::Status Denoise(Ops& ops, Denoiser& denoiser, float sigma, Array& x, Array& u) {
  RETURN_IF_ERROR(ops.Combine(u, 1, x, 1));
  RETURN_IF_ERROR(ops.Copy(u, u.box(), x));
  if (sigma > 0) RETURN_IF_ERROR(denoiser.Denoise(x, sigma));
  RETURN_IF_ERROR(ops.Clamp(x, 0, kNoCeiling));
  RETURN_IF_ERROR(ops.Combine(u, 1, x, -1));
  return ops.Combine(x, 1, u, -1);
}

}  // namespace

PlugAndPlayAdmm::PlugAndPlayAdmm(const DenoiserKind* denoiser) : DescribedMethod(Describe()), denoiser_(denoiser) {}

absl::StatusOr<std::unique_ptr<Array>> PlugAndPlayAdmm::Run(const Problem& problem, const Parameters& parameters,
                                                            Monitor& monitor) const {
  Ops& ops = *problem.ops;
  const int64_t iterations = parameters.Integer("iterations");
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  const float sigma = SigmaOf(problem, parameters);
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  DataSplitting data(problem, {.noise = NoiseOf(parameters), .weight = static_cast<float>(parameters.Real("weight"))});
  ASSIGN_OR_RETURN(auto u, ops.Allocate(x->box()));
  RETURN_IF_ERROR(ops.Copy(*x, x->box(), *u));
  RETURN_IF_ERROR(data.Start(*x));
  ASSIGN_OR_RETURN(const auto denoiser, OpenDenoiser(problem, parameters, denoiser_));
  // The first z2 comes from the start itself.
  RETURN_IF_ERROR(ops.Fill(*x, 0));
  RETURN_IF_ERROR(Denoise(ops, *denoiser, sigma, *x, *u));
  for (int64_t done = 1; done <= iterations; ++done) {
    Measures measures;
    ASSIGN_OR_RETURN(const SplitNorms norms,
                     data.Solve(Identity{x.get()}, 1, curve.Tells(done) ? &measures : nullptr, *x));
    TellResiduals(norms, measures);
    RETURN_IF_ERROR(Denoise(ops, *denoiser, sigma, *x, *u));
    RETURN_IF_ERROR(monitor.Iterated({done, iterations, *x, curve.After(done, measures)}));
  }
  RETURN_IF_ERROR(ops.Combine(*x, 1, *u, 1));
  return x;
}

}  // namespace deconvoy::worker
