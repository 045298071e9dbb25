#include "worker/methods/tikhonov.h"

#include <vector>

#include "worker/methods/describe.h"
#include "worker/methods/linear_filter.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("tikhonov");
  method.set_title("Tikhonov regularised inverse");
  method.set_summary(
      "Inverts the blur in one step and keeps the result small: larger lambda, less noise, less detail.");
  method.set_citation("A. N. Tikhonov and V. Y. Arsenin, Solutions of Ill-Posed Problems (1977)");
  AddReal(method, "lambda", 1e-9, 1000, 1e-2, "Strength of the regularisation");
  MakeAutomatic(method);
  DescribeFilter(method, /*host_bytes=*/0);
  method.set_halo_factor(3);
  return method;
}

}  // namespace

Tikhonov::Tikhonov() : DescribedMethod(Describe()) {}

std::vector<float> Tikhonov::PenaltyOf(const Shape3& domain) const {
  return std::vector<float>(static_cast<size_t>(domain.z * domain.y * (domain.x / 2 + 1)), 1.0F);
}

absl::StatusOr<std::unique_ptr<Array>> Tikhonov::Run(const Problem& problem, const Parameters& parameters,
                                                     Monitor& monitor) const {
  const auto lambda = static_cast<float>(parameters.Real("lambda"));
  return ApplyFilter(problem, {.alpha = lambda, .keeps_constants = false}, monitor);
}

}  // namespace deconvoy::worker
