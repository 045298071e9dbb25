// A tile that is too large for the memory there is, as two.
#pragma once

#include <array>
#include <optional>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Both are padded alike. Each yields its part of the tile's core, and of every output, and loads the halo that the plan
// of a job would give it (proto/contract/tile_plan.h), as far as the tile has loaded it.
struct TileHalves {
  std::array<v1::Task, 2> tasks;
  Shape3 padded;
};

// The core is cut along the axis that leaves the least padded voxels, at a multiple of 8 from its beginning, so that
// blocks of voxels stay whole. Nothing for what must stay whole: another task than a tile's, a frame that was asked for
// as one tile, a periodic boundary, a method that needs whole frames, models; and where the core is thinner than 16
// voxels along every axis, or halves would need no fewer padded voxels.
std::optional<TileHalves> HalvesOf(const v1::Task& task);

}  // namespace deconvoy::worker
