#include "worker/methods/stark_parker.h"

#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("stark-parker");
  method.set_title("Bounded-variable least squares");
  method.set_summary(
      "Landweber that keeps the estimate between zero and an upper bound in every iteration. For specimens whose "
      "greatest brightness is known.");
  method.set_citation("P. B. Stark and R. L. Parker, Comput. Stat. 10 (1995) 129");
  AddReal(method, "upper", 0, 1e12, 0, "Greatest value of the result; 0: none", "photons");
  DescribeDescent(method, /*smooth=*/false);
  return method;
}

}  // namespace

StarkParker::StarkParker() : DescentMethod(Describe(), Momentum::kChosen) {}

absl::StatusOr<std::unique_ptr<Array>> StarkParker::Run(const Problem& problem, const Parameters& parameters,
                                                        Monitor& monitor) const {
  const auto upper = static_cast<float>(parameters.Real("upper"));
  return Descend(problem, parameters,
                 {.floor = 0, .ceiling = upper > 0 ? upper : kNoCeiling, .nesterov = IsNesterov(parameters)}, monitor);
}

}  // namespace deconvoy::worker
