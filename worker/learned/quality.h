// How good a model is on specimens that it has not seen.
#pragma once

#include <absl/status/statusor.h>

#include <span>
#include <vector>

#include "worker/learned/network.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {

// Root of the mean squared difference from the truth over that of the truth's values; values count as they are.
double NrmseOf(std::span<const float> values, std::span<const float> truth);
// Coefficient of correlation; 0 where one of them does not vary.
double NccOf(std::span<const float> values, std::span<const float> truth);

// Of the recipe's kinds and then those held out, means over `specimens` each; of a denoiser nothing of rl. Errors:
// those of the model, the backend and the observer.
absl::StatusOr<std::vector<Quality>> Judge(const Model& model, const Recipe& recipe, int64_t specimens,
                                           Backend& backend, TrainingObserver& observer);

}  // namespace deconvoy::worker::learned
