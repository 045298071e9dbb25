// The rules that say where a PSF's origin lies.
#pragma once

#include <absl/status/statusor.h>

#include <span>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct PsfOrigin {
  Voxel centre;
  v1::PsfCentre rule = v1::GEOMETRIC;  // the rule that gave it: never AUTO_CENTRE
};

// The origin of a PSF by `rule`; `given` is used with GIVEN only. Negative values count as zero. Centroids are rounded
// to the nearest voxel, halves upwards (towards n/2). REQUIRES: finite values with a positive sum. Errors:
// INVALID_FIELD for a given centre outside the PSF.
absl::StatusOr<PsfOrigin> FindOrigin(std::span<const float> values, const Shape3& shape, v1::PsfCentre rule,
                                     const Voxel& given);

}  // namespace deconvoy::worker
