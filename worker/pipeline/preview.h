// What a tile adds to the preview of its job (proto/contract/preview.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Takes the planes of a core. Not thread safe.
class PreviewProjection {
 public:
  // `core` in voxels of the result. A step of 0 or less: none is wanted.
  PreviewProjection(const Box3& core, int64_t step);

  // A plane of the core as it is stored. REQUIRES: as many voxels as the core has rows and columns, none of them NaN.
  void AddPlane(std::span<const std::byte> raw, v1::VoxelType type);
  // The maxima of all planes so far; without any where none is wanted.
  v1::PreviewPart Part() const;

 private:
  const Box3 core_;
  const int64_t step_;
  const Box3 pixels_;
  std::vector<float> maximum_;
  std::vector<float> row_;  // of voxels
};

}  // namespace deconvoy::worker
