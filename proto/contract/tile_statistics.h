// What tiles tell of a result, added up: the server over the tiles of a job, a worker over the parts of a tile.
#pragma once

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy {

// Adds what one more tile tells of its voxels, but `trust`. `first`: nothing is in `total` yet.
void AddTileStatistics(const v1::ResultStatistics& added, bool first, v1::ResultStatistics& total);

// After the same iterations each.
using ObjectiveCurve = google::protobuf::RepeatedPtrField<v1::ObjectiveValue>;

// Adds the curve of one more tile. False, and `total` is left empty, where the two did not iterate alike: then they
// have no sum.
bool AddTileCurve(const ObjectiveCurve& added, ObjectiveCurve& total);

}  // namespace deconvoy
