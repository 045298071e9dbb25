// How a frame is cut into tiles. Integers only, so that every process on every machine plans alike.
//
// A tile's *core* is the part of the result that it yields; cores are disjoint and cover the frame. It *loads* the core
// and a halo of measured voxels around it, clipped to the frame. The *padded* shape is that of its Fourier transforms
// and the same for every tile of a job. Test vectors: tests/contract/data/tile_plan.json.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

inline constexpr int kTilePlanVersion = 1;

// What the plan depends on. All extents in voxels.
struct TilePlanRequest {
  Shape3 frame;
  Shape3 psf;  // the PSF's cropped box
  v1::Boundary boundary = v1::EXTEND;
  int64_t millibytes_per_padded_voxel = 21'000;  // working memory of the method, in 1/1000 byte
  int64_t fixed_bytes = 0;                       // working memory that does not depend on the tile
  int64_t memory_budget_bytes = 0;               // of one task; 0 means no limit
  Shape3 core;                                   // asked for; all zero for automatic
  bool whole = false;                            // one tile only
};

struct Tile {
  Box3 core;
  Box3 loaded;
};

struct TilePlan {
  Shape3 core;  // of a full tile; the last ones along an axis may be smaller
  Shape3 halo;  // on each side, before clipping
  Shape3 padded;
  Shape3 grid;               // tiles along each axis
  int64_t memory_bytes = 0;  // of one task

  int64_t tiles() const { return grid.voxels(); }
  // Tile `index` in z,y,x order. REQUIRES: 0 <= index < tiles().
  Tile At(int64_t index, const Shape3& frame) const;
};

// The plan with the least total padded voxels under the budget. z stays whole where it fits, unless cutting it at least
// halves the total. Tried are, along each axis, all numbers of tiles up to 32 and then steps of an eighth; of equals,
// the plan with the fewest tiles along z, then y, then x. Errors: OUT_OF_MEMORY (not even the smallest tile fits, or
// `whole` does not; with need and budget), INVALID_FIELD (core too large, negative or so small that the tiles exceed
// `limits::kTasksPerJob`; core and `whole`; cut with `PERIODIC`, which has no tiles; anything else out of range).
absl::StatusOr<TilePlan> PlanTiles(const TilePlanRequest& request);

// The extent of the transforms for `loaded` voxels and a PSF extent along one axis: the extent itself for PERIODIC;
// else loaded + psf - 1 (EXTEND) or loaded + psf (MIRROR, half of it on each side; none for a PSF of one voxel),
// rounded up to a fast size, even when `even`.
int64_t PaddedExtent(int64_t loaded, int64_t psf, v1::Boundary boundary, bool even);

// Smallest n' >= n of the form 2^a 3^b 5^c 7^d, even when `even`. REQUIRES: n >= 1.
int64_t FastExtent(int64_t n, bool even);

// Halo for a PSF extent along one axis, in voxels; the seam promise rests on it. Half the PSF and a slack, over which
// the error at the border of what was loaded fades; none for a PSF of one voxel, which couples nothing.
int64_t HaloExtent(int64_t psf);

}  // namespace deconvoy
