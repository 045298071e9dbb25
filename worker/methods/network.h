// Deconvolution by models: networks that have been trained.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

// What runs models, for Problem::restorer. Belongs to one thread at a time.
class Restorer {
 public:
  virtual ~Restorer() = default;
  // Light above the background, in photons, from `values` (y of the problem) of a box at `origin` of its frame; both in
  // z,y,x order. Errors: OUT_OF_MEMORY, BAD_OUTPUT.
  virtual absl::StatusOr<std::vector<float>> Restore(std::span<const float> values, const Shape3& box,
                                                     const Voxel& origin) = 0;
};

class Network : public DescribedMethod {
 public:
  Network();
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker
