// Where the voxels of a frame were recorded, where its motion is corrected: what belongs at (z, y, x) was recorded at
// plane p = z + shift_z, row y + plane_shift_y[p] and column x + plane_shift_x[p] (FrameStatistics in jobs.proto).
//
// Pure functions. Boxes are those of the image's own planes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// A view of a frame's statistics, which must outlive it.
struct Displacement {
  int64_t z = 0;
  std::span<const int32_t> y, x;  // of each recorded plane; empty: 0

  bool any() const { return z != 0 || !y.empty() || !x.empty(); }
  int64_t YOf(int64_t plane) const { return y.empty() ? 0 : y[static_cast<size_t>(plane)]; }
  int64_t XOf(int64_t plane) const { return x.empty() ? 0 : x[static_cast<size_t>(plane)]; }
};

Displacement DisplacementOf(const v1::FrameStatistics& frame);

// The smallest box that holds all of `box` as it was recorded inside a frame of these extents, planes `box` moved by
// the displacement's z; without planes where nothing of it was. Without displacement `box`. REQUIRES: as many shifts as
// the frame has planes, or none.
Box3 RecordedBox(const Displacement& displacement, const Shape3& frame, const Box3& box);

// The plane of `recorded`, from its first one, that holds plane `z` of `box`, from its first one; none where it was not
// recorded. REQUIRES: `recorded` is RecordedBox of `box`.
std::optional<int64_t> RecordedPlane(const Displacement& displacement, const Box3& recorded, const Box3& box,
                                     int64_t z);

// Brings that plane, `values` of plane `p` of `recorded`, to its place in `placed`, a plane of `box`; where nothing was
// recorded it becomes `outside`.
void PlacePlane(const Displacement& displacement, const Box3& recorded, int64_t p, std::span<const float> values,
                const Box3& box, float outside, std::span<float> placed);

}  // namespace deconvoy::worker
