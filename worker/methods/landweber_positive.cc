#include "worker/methods/landweber_positive.h"

#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("landweber-positive");
  method.set_title("Landweber with positivity");
  method.set_summary(
      "Landweber that keeps the estimate at or above zero in every iteration. For data whose noise does not grow "
      "with the signal.");
  method.set_citation("D. Sage et al., Methods 115 (2017) 28 (nonnegative least squares)");
  DescribeDescent(method, /*smooth=*/false);
  return method;
}

}  // namespace

LandweberPositive::LandweberPositive() : DescentMethod(Describe(), Momentum::kChosen) {}

absl::StatusOr<std::unique_ptr<Array>> LandweberPositive::Run(const Problem& problem, const Parameters& parameters,
                                                              Monitor& monitor) const {
  return Descend(problem, parameters, {.floor = 0, .nesterov = IsNesterov(parameters)}, monitor);
}

}  // namespace deconvoy::worker
