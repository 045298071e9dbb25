// What a job tells of its result: sums over its tiles.
#pragma once

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::server {

// Adds what a tile tells of its voxels to the job's result.
void AddStatistics(const v1::TileResult& tile, v1::Job& job);

// Adds a tile's curve to the job's. Curves of tiles that did not iterate alike have no sum: then the job has none. One
// of a tile without light counts nothing. REQUIRES: the tile's statistics have been added.
void AddObjective(const v1::TileResult& tile, v1::Job& job);

}  // namespace deconvoy::server
