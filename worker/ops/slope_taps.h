// The differences of splittings, voxel by voxel: what K of a PriorSplit (worker/ops/backend.h) is made of.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// What the voxel at `offset` gives to a part: `factor` times its value. Seen from the part's voxel, each coordinate is
// -1, 0 or 1.
struct SlopeTap {
  size_t part;
  Voxel offset;
  float factor;
};

// All of K, from x to its parts; an offset and a part may come more than once, and add up. K* has the opposite offsets.
// `factors` are those along z, y and x. Empty without slopes.
std::vector<SlopeTap> SlopeTaps(Slopes slopes, const std::array<float, 3>& factors);

}  // namespace deconvoy::worker
