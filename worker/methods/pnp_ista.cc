#include "worker/methods/pnp_ista.h"

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("pnp-ista");
  method.set_title("Plug-and-play iterative shrinkage");
  method.set_summary(
      "Descends the sum of squared residuals and lets a denoiser clean the estimate after every step. For noise that "
      "does not grow with the signal.");
  method.set_citation("U. S. Kamilov et al., IEEE Signal Process. Lett. 24 (2017) 1872");
  DescribeDescent(method, /*smooth=*/false);
  AddDenoiser(method, 0.1);
  return method;
}

}  // namespace

PlugAndPlayIsta::PlugAndPlayIsta(const DenoiserKind* denoiser)
    : DescentMethod(Describe(), Momentum::kChosen), denoiser_(denoiser) {}

absl::StatusOr<std::unique_ptr<Array>> PlugAndPlayIsta::Run(const Problem& problem, const Parameters& parameters,
                                                            Monitor& monitor) const {
  ASSIGN_OR_RETURN(const auto denoiser, OpenDenoiser(problem, parameters, denoiser_));
  DescentOptions options{.nesterov = IsNesterov(parameters)};
  const float sigma = SigmaOf(problem, parameters);
  options.clean = [&](Array& x, double step) -> absl::Status {
    if (sigma > 0) RETURN_IF_ERROR(denoiser->Denoise(x, static_cast<float>(step) * sigma));
    return problem.ops->Clamp(x, 0, kNoCeiling);
  };
  return Descend(problem, parameters, options, monitor);
}

}  // namespace deconvoy::worker
