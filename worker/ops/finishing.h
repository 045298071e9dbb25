// What a device with memory of its own makes of results where they lie, so that of all their values only the voxels
// that are stored leave it.
//
// Voxels are those of `ToCounts` to the last bit (worker/imaging/counts.h). Sums are those of worker/imaging: counts to
// the last one, the others in double precision in an order that follows from the box alone, and so equal to rounding. A
// block of voxels that lies at a threshold to rounding may count or not. Threads and errors are those of `Ops`.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>

#include "worker/imaging/counts.h"
#include "worker/imaging/residual.h"
#include "worker/imaging/result_noise.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// How values become voxels: as `ToCounts` makes counts = photons / gain + offset of them.
struct VoxelRule {
  v1::VoxelType type = v1::F32;
  double gain = 1;    // photons per count, > 0
  double offset = 0;  // counts
};

// A result and what it was made of, over a core.
struct FinishedCore {
  const Array* result;  // photons; all arrays cover the core
  const Array* image;   // y
  const Array* mask;    // m; null for 1 everywhere
  Box3 core;
};

// Where noise is looked for: worker/imaging/result_noise.h.
struct NoiseRule {
  double brightest = 0;      // light of the frame above its background, photons
  int64_t first_plane = 0;   // of the core, from its first one, in which flat regions are looked for
  int64_t every_planes = 1;  // > 0; and from there on
};

class Finishing {
 public:
  virtual ~Finishing() = default;

  // The voxels of `box` in z,y,x order, at the beginning of `to`, without waiting for the copy: Staging::Bytes waits.
  // REQUIRES: box inside the array's box, and room for it in `to`.
  virtual absl::Status Unload(const Array& array, const Box3& box, const VoxelRule& rule, Staging& to) = 0;

  // What ToCounts tells of the values in `box`. REQUIRES: box inside the array's box.
  virtual absl::StatusOr<CountTotals> CountVoxels(const Array& array, const Box3& box, const VoxelRule& rule) = 0;

  // Rings in all planes of the core, flat regions in those of the rule.
  virtual absl::StatusOr<NoiseSums> SumNoise(const FinishedCore& core, const NoiseRule& rule) = 0;

  // Of the image and its model, which is in place of the result; pairs along z with them. Voxels with m = 0 are in no
  // sum and no count.
  virtual absl::StatusOr<ResidualSums> SumResidual(const FinishedCore& core, const ResidualScale& scale) = 0;
};

}  // namespace deconvoy::worker
