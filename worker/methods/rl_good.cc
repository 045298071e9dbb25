#include "worker/methods/rl_good.h"

#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl-good");
  method.set_title("Richardson-Lucy with Good's roughness");
  method.set_summary(
      "Richardson-Lucy that keeps the result smooth, in dim places as in bright ones. For noisy data without sharp "
      "edges.");
  method.set_citation("P. J. Verveer and T. M. Jovin, J. Opt. Soc. Am. A 14 (1997) 1696");
  DescribePenalised(method, 1e-2, "Strength of the regularisation: larger is smoother");
  return method;
}

}  // namespace

RlGood::RlGood() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> RlGood::Run(const Problem& problem, const Parameters& parameters,
                                                   Monitor& monitor) const {
  return RunPenalised(problem, parameters, Roughness::kGood, monitor);
}

}  // namespace deconvoy::worker
