#include "worker/methods/wiener.h"

#include <algorithm>
#include <vector>

#include "proto/contract/error.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/linear_filter.h"

namespace deconvoy::worker {
namespace {

constexpr double kLeastSignal = 1e-6;  // over noise

v1::Method Describe() {
  v1::Method method;
  method.set_name("wiener");
  method.set_title("Wiener filter");
  method.set_summary(
      "Inverts the blur where the signal is above the noise, in one step. Fast; a first look, and for data with "
      "little background. Values below zero occur around bright structures.");
  method.set_citation("N. Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949)");
  AddReal(
      method, "nsr", 0, 1000, 0,
      "Power of the noise over that of the signal; 0: estimated from mean and variance; auto: by frequency, from the "
      "spectrum");
  MakeAutomatic(method);
  DescribeFilter(method, /*host_bytes=*/2.5);
  method.set_halo_factor(3);
  return method;
}

// With the noise over signal of each shell of frequencies.
absl::StatusOr<std::unique_ptr<Array>> FilterByShell(const Problem& problem, Monitor& monitor) {
  if (problem.signal_to_noise.empty()) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile.calibrations"},
                     "a tile whose `nsr` is automatic comes without signal over noise");
  }
  const auto shells = ShellsOf(problem.ops->domain(), static_cast<int>(problem.signal_to_noise.size()));
  std::vector<float> penalty(shells.size());
  for (size_t i = 0; i < shells.size(); ++i) {
    penalty[i] = static_cast<float>(1 / std::max(problem.signal_to_noise[shells[i]], kLeastSignal));
  }
  return ApplyFilter(problem, {.penalty = penalty, .keeps_constants = false}, monitor);
}

}  // namespace

Wiener::Wiener() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> Wiener::Run(const Problem& problem, const Parameters& parameters,
                                                   Monitor& monitor) const {
  if (parameters.IsAuto("nsr")) return FilterByShell(problem, monitor);
  const double given = parameters.Real("nsr");
  const float nsr = given > 0 ? static_cast<float>(given) : NoiseToSignal(problem.mean, problem.variance);
  return ApplyFilter(problem, {.alpha = nsr, .keeps_constants = false}, monitor);
}

}  // namespace deconvoy::worker
