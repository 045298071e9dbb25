#include "worker/methods/rl_tv.h"

#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl-tv");
  method.set_title("Richardson-Lucy with total variation");
  method.set_summary(
      "Richardson-Lucy that keeps edges and flattens what lies between. For noisy data with sharp structures; needs "
      "more iterations than rl and forgives too many.");
  method.set_citation("N. Dey et al., Microsc. Res. Tech. 69 (2006) 260");
  DescribePenalised(method, 2e-3, "Strength of the regularisation: larger is flatter");
  return method;
}

}  // namespace

RlTotalVariation::RlTotalVariation() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> RlTotalVariation::Run(const Problem& problem, const Parameters& parameters,
                                                             Monitor& monitor) const {
  return RunPenalised(problem, parameters, Roughness::kTotalVariation, monitor);
}

}  // namespace deconvoy::worker
