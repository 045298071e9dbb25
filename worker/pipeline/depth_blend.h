// Joins the results that one tile has with the PSFs of several depths.
//
// Between two depths the result is a mean of theirs, weighted linearly by the distance of the plane; above the first
// and below the last depth it is theirs alone. Depths count from the first plane of the frame, in um.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// What the result of depth `i` of `depths_um` (rising, not empty) counts at a depth: 0 to 1, over all i their sum is 1.
double DepthWeight(std::span<const double> depths_um, size_t i, double depth_um);

class DepthBlend {
 public:
  // `core` lies in the frame, whose planes are `plane_um` apart.
  DepthBlend(std::vector<double> depths_um, double plane_um, const Box3& core);

  // The depths whose results count in some plane of the core.
  std::vector<size_t> Used() const;
  // Adds the result of depth `i`, whose core is `core_in_domain`.
  absl::Status Add(size_t i, const Array& estimate, const Box3& core_in_domain, Ops& ops);
  // The blend so far on plane `z` of the core.
  std::span<const float> Plane(int64_t z) const;

 private:
  double Weight(size_t i, int64_t z) const;

  const std::vector<double> depths_um_;
  const double plane_um_;
  const Box3 core_;
  std::vector<float> blend_;
};

}  // namespace deconvoy::worker
