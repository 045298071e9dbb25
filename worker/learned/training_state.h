// Where a training stands, and how that is kept between its parts.
//
// As a container (worker/learned/container.h): texts `format` = deconvoy-training, `version` = 1, `recipe` (SHA-256 of
// the recipe's JSON), `progress` (JSON); arrays `now.NAME`, `best.NAME`, `mean.NAME` and `square.NAME` of every
// parameter and buffer NAME of the network.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/learned/adam.h"
#include "worker/learned/network_module.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {

struct TrainingState {
  std::shared_ptr<Network> now, best;
  std::unique_ptr<Adam> adam;  // of `now`
  int64_t step = 0;            // done
  int64_t best_step = 0;
  double best_loss = 0;  // of the validation
  int64_t parts_since_best = 0;
  std::vector<CurvePoint> curve;
};

// At the start: weights drawn, the best ones those of now.
absl::StatusOr<TrainingState> NewState(const Recipe& recipe);
std::string StoreState(const TrainingState& state, const Recipe& recipe);
// INVALID_FIELD for what is broken or of another recipe.
absl::StatusOr<TrainingState> LoadState(std::span<const std::byte> bytes, const Recipe& recipe);

// The best weights become those of now.
void KeepBest(TrainingState& state);

}  // namespace deconvoy::worker::learned
