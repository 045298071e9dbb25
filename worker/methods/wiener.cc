#include "worker/methods/wiener.h"

#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/linear_filter.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("wiener");
  method.set_title("Wiener filter");
  method.set_summary(
      "Inverts the blur where the signal is above the noise, in one step. Fast; a first look, and for data with "
      "little background. Values below zero occur around bright structures.");
  method.set_citation("N. Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949)");
  AddReal(method, "nsr", 0, 1000, 0, "Power of the noise over that of the signal; 0: estimated from mean and variance");
  DescribeFilter(method, /*host_bytes=*/0);
  return method;
}

}  // namespace

Wiener::Wiener() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> Wiener::Run(const Problem& problem, const Parameters& parameters,
                                                   Monitor& monitor) const {
  const double given = parameters.Real("nsr");
  const float nsr = given > 0 ? static_cast<float>(given) : NoiseToSignal(problem.mean, problem.variance);
  return ApplyFilter(problem, {.alpha = nsr, .keeps_constants = false}, monitor);
}

}  // namespace deconvoy::worker
