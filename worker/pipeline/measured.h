// The measured voxels of a tile, as photons on its domain.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "worker/imaging/counts.h"
#include "worker/ops/backend.h"
#include "worker/pipeline/displacement.h"
#include "worker/pipeline/region_correction.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The channels that a tile reads: one, or with a method that joins them all.
std::vector<int64_t> ChannelsOf(const v1::TileTask& tile);

// What a tile reads of channel `c` of an image of these extents: the planes of its loaded box that were measured, where
// they were recorded.
FrameBox ImageRegion(const v1::TileTask& tile, int64_t c, const Shape3& image);

// What a tile reads of the result of the time point before: the part of its loaded box that the result covers, in
// voxels of the result.
FrameBox PreviousRegion(const v1::TileTask& tile);

// Where the voxels of one channel come from.
struct ImageSource {
  const v1::VolumeAccess* image = nullptr;
  const v1::VolumeAccess* mask = nullptr;  // null: none
  double saturation_counts = 0;
  CountScale scale = {};
  int64_t upsample = 1;              // planes of the tile for each of the image
  FrameBox loaded = {};              // on the tile's grid
  Displacement displacement = {};    // of the frame
  float fill = 0;                    // photons where m = 0, so that a start from the image is no black hole
  RegionCorrection correction = {};  // of what is read: ImageRegion
};

// y on the array's box, and m where not every voxel counts. The loaded box lies at the domain's origin.
struct Measured {
  std::unique_ptr<Array> y;
  std::unique_ptr<Array> mask;  // null for 1 everywhere
};

// Takes a measured plane of the image: `z` from the first loaded plane, photons before the read noise rule, and m,
// empty for 1 everywhere.
using MeasuredPlane = std::function<void(int64_t z, std::span<const float> photons, std::span<const float> m)>;

// Takes a measured plane of the image whose every voxel counts as it is stored: `z` as above, in the image's type.
using MeasuredCounts = std::function<void(int64_t z, std::span<const std::byte> counts)>;

// Reads one channel into a new array over `box`, and tells each plane to `visit`, or those whose photons the host need
// not know to `visit_counts`, where there is one (counts_loader.h). Planes between those of the image
// have m = 0 and y of the plane before them; where none of those loaded was measured y is the fill. Voxels are brought
// to where they belong after all that is known of the place where they were recorded; what was not recorded has m = 0
// and the fill. Errors:
// NOT_FINITE_INPUT (a voxel that counts), those of source and ops. REQUIRES: box starts at the origin and holds what is
// loaded, and nothing else where voxels may not count.
absl::StatusOr<Measured> LoadMeasured(const ImageSource& from, const Box3& box, Ops& ops, VolumeSource& source,
                                      const MeasuredPlane& visit, const MeasuredCounts& visit_counts = nullptr);

}  // namespace deconvoy::worker
