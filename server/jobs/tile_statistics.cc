#include "server/jobs/tile_statistics.h"

#include "proto/contract/tile_statistics.h"
#include "server/jobs/trust_check.h"

namespace deconvoy::server {

void AddStatistics(const v1::TileResult& tile, v1::Job& job) {
  const v1::ResultStatistics& added = tile.statistics();
  const bool first = !job.has_result();
  v1::ResultStatistics& total = *job.mutable_result();
  AddTileStatistics(added, first, total);
  if (added.has_trust()) AddTrust(added.trust(), *total.mutable_trust());
}

void AddObjective(const v1::TileResult& tile, v1::Job& job) {
  if (tile.objective().empty()) {
    // A tile with light and no curve: its parts did not iterate alike, or none is told of any tile.
    if (tile.statistics().quality().voxels() > 0) job.clear_objective();
    return;
  }
  // Without a curve so far, and no voxel that counted: else the curve has been given up.
  const bool first = job.objective().empty() && job.result().quality().voxels() == tile.statistics().quality().voxels();
  if (first) {
    *job.mutable_objective() = tile.objective();
  } else {
    AddTileCurve(tile.objective(), *job.mutable_objective());
  }
}

}  // namespace deconvoy::server
