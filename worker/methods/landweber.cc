#include "worker/methods/landweber.h"

#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("landweber");
  method.set_title("Landweber");
  method.set_summary(
      "Descends the sum of squared residuals. Linear, so that values below zero occur; iterations are the "
      "regularisation.");
  method.set_citation("L. Landweber, Am. J. Math. 73 (1951) 615");
  DescribeDescent(method, /*smooth=*/false);
  method.set_halo_factor(1.25);
  return method;
}

}  // namespace

Landweber::Landweber() : DescentMethod(Describe(), Momentum::kChosen) {}

absl::StatusOr<std::unique_ptr<Array>> Landweber::Run(const Problem& problem, const Parameters& parameters,
                                                      Monitor& monitor) const {
  return Descend(problem, parameters, {.nesterov = IsNesterov(parameters)}, monitor);
}

}  // namespace deconvoy::worker
