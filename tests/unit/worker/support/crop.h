// A part of a volume.
#pragma once

#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker::testing {

// The voxels of `box`, which lies inside a volume of extents `shape`.
inline std::vector<float> Cropped(const std::vector<float>& volume, const Shape3& shape, const Box3& box) {
  std::vector<float> part(static_cast<size_t>(box.shape.voxels()));
  CopyBox(std::as_bytes(std::span(volume)).data(), {{}, shape}, std::as_writable_bytes(std::span(part)).data(), box,
          sizeof(float));
  return part;
}

}  // namespace deconvoy::worker::testing
