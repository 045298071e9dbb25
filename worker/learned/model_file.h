// Models as containers (worker/learned/container.h). For the sources of this room only.
//
// Texts: `format` = deconvoy-model, `version` = 1, `network`, `head` (plain, probabilistic), `psf_digest`, `voxel_um`
// (three numbers, or empty), `low_percentile`, `high_percentile`, `recipe`, and `evidence` where it is known
// (worker/pipeline/model_evidence.h). Arrays: the network's parameters and buffers by name.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>

#include "worker/learned/container.h"
#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

// Parameters and buffers of a module, by name, on the CPU; and back. LoadTensors: INVALID_FIELD where one is missing,
// has other extents, is not finite or is not known, its name being "`prefix`name".
std::map<std::string, Tensor32, std::less<>> StoreTensors(const torch::nn::Module& module);
absl::Status LoadTensors(const Container& container, const std::string& prefix, torch::nn::Module& module);

Tensor32 ToTensor32(const torch::Tensor& tensor);

Container ToContainer(const Network& network, const ModelFacts& facts);

struct LoadedNetwork {
  std::shared_ptr<Network> network;
  ModelFacts facts;
  const NetworkKind* kind = nullptr;
};
absl::StatusOr<LoadedNetwork> FromContainer(const Container& container);

}  // namespace deconvoy::worker::learned
