// Where iterative methods start.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Adds the parameter `initial`: `mean` (default), `image` or `previous`.
void AddInitialEstimate(v1::Method& method);

// An array over the whole domain: the mean of y everywhere, and over it, on the measured box, what `initial` names.
// `previous` without a previous estimate is `mean`.
absl::StatusOr<std::unique_ptr<Array>> InitialEstimate(const Problem& problem, const Parameters& parameters);

}  // namespace deconvoy::worker
