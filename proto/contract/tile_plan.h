// How a frame is cut into tiles. Integers only, so that every process on every machine plans alike.
//
// A tile's *core* is the part of the result that it yields; cores are disjoint and cover the frame, or the *region* of
// it that is wanted. It *loads* the core and a halo of measured voxels around it, clipped to the frame, not the region.
// The *padded* shape is that of its Fourier transforms and the same for every tile of a job: what is loaded and a
// margin, in which the surroundings are estimated. Test vectors: tests/contract/data/tile_plan.json.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/fft_costs.h"
#include "proto/contract/geometry.h"
#include "proto/contract/parameters.h"

namespace deconvoy {

inline constexpr int kTilePlanVersion = 3;

// What the plan depends on. All extents in voxels.
struct TilePlanRequest {
  Shape3 frame;
  Box3 region = {};  // the part of the frame that is wanted; empty: all of it
  Shape3 psf;        // the PSF's cropped box
  Shape3 halo;       // `HaloExtent` of each axis; all zero for those of a PSF of unknown spread
  v1::Boundary boundary = v1::EXTEND;
  MethodMemory memory;              // of the method
  int64_t fixed_bytes = 0;          // working memory that does not depend on the tile
  int64_t memory_budget_bytes = 0;  // of one task; 0 means no limit
  Shape3 core;                      // asked for; all zero for automatic
  bool whole = false;               // one tile only, as asked for
  bool uncut = false;               // one tile only, as the method needs
  int64_t workers = 1;              // tiles that can be computed at once
  int64_t frames = 1;               // frames that can be computed at once
  bool growing = false;             // the frame comes plane by plane, and is computed as it comes
  bool beside = false;              // a worker loads and unloads tiles while it computes another one
  FftCosts costs;                   // of the machine that the plan is made for
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
  // Tile `index` in z,y,x order, in voxels of the frame. REQUIRES: 0 <= index < tiles(); `region` is the request's, not
  // empty.
  Tile At(int64_t index, const Shape3& frame, const Box3& region) const;
  // The same where all of the frame is wanted.
  Tile At(int64_t index, const Shape3& frame) const { return At(index, frame, {{}, frame}); }
};

// The plan that takes the least time under the budget. A tile takes its padded voxels times the costs of their extents,
// 65536 voxels besides, and 40 for each row where rows are cut. Several workers take tiles in turn, as many at once as
// there are workers, but all tiles together never take more than 3/2 of what they would for one worker. Where tiles are
// loaded and unloaded beside others, the first one's loading and the last one's unloading count as half a tile. z stays
// whole where it fits, unless cutting it at least halves the time. Tried are, along each axis, all numbers of tiles up
// to 32 and then steps of an eighth; of equals, the plan with the fewest tiles along z, then y, then x. A growing frame
// is cut into `SlabCount` slabs along z, and into more only where the memory demands it; the workers take the tiles of
// one slab in turn. Errors: OUT_OF_MEMORY (not even the smallest tile fits, or the only one does not; with need and
// budget), INVALID_FIELD (core too large, negative or so small that the tiles exceed `limits::kTasksPerJob`; core and
// `whole`; cut with `PERIODIC`, which has no tiles, or with `uncut`; a region outside the frame; anything else out of
// range). The only tile of PERIODIC or `uncut` loads the whole frame, whatever the region.
absl::StatusOr<TilePlan> PlanTiles(const TilePlanRequest& request);

// Slabs of a frame of so many planes that is computed as it comes. Each is at least as thick as what it takes besides:
// the halo on both sides and half the PSF, and the last one thicker than the halo, so that the one before it need not
// wait for the last plane. A frame too thin for two such slabs is halved where three eighths of it hold
// the halo, so that one half is under way when the last plane comes; else it is one slab.
int64_t SlabCount(int64_t planes, int64_t halo, int64_t psf);

// Extent of the array that holds a tile's measured voxels: what is loaded for EXTEND; else the transforms' extent, into
// which MIRROR reflects them and which PERIODIC loads.
Shape3 MeasuredShape(v1::Boundary boundary, const Shape3& padded, const Shape3& loaded);

// Working memory of one tile, saturating: while its method runs, or while its result is brought out, whichever is more.
// `padded` and `psf` as in the plan; `measured` as from MeasuredShape.
int64_t TileBytes(const MethodMemory& memory, const Shape3& padded, const Shape3& measured, const Shape3& psf);

// What a task takes besides for its PSF of `given` voxels, saturating: as floats, and once more while it is cropped and
// normalised. The `fixed_bytes` of a plan.
int64_t GivenPsfBytes(const Shape3& given);

// The extent of the transforms for `loaded` voxels of a whole frame and a PSF extent along one axis: the extent itself
// for PERIODIC; else loaded + psf - 1 (EXTEND) or loaded + psf (MIRROR, half of it on each side; none for a PSF of one
// voxel), rounded up to the best extent.
int64_t PaddedExtent(int64_t loaded, int64_t psf, v1::Boundary boundary, FftAxis axis, const FftCosts& costs = {});
// The same along every axis.
Shape3 PaddedShape(const Shape3& loaded, const Shape3& psf, v1::Boundary boundary, const FftCosts& costs = {});

// Halo for a PSF extent along one axis, in voxels; the seam promise rests on it. `spread` is the standard deviation of
// the PSF's light about its centre along the axis, in voxels; 0 where it is not known, for the largest halo that a PSF
// of this extent may need. None for a PSF of one voxel, which couples nothing.
int64_t HaloExtent(int64_t psf, double spread);

// The `Method.halo_factor`, and all above, of a method whose result at a voxel depends on all others: no halo is
// enough.
inline constexpr double kWholeFrames = 100;
// Such a halo for a method that needs `factor` times as much (`Method.halo_factor`; 0 means 1), rounded up; at
// most 100 times.
Shape3 ScaledHalo(const Shape3& halo, double factor);
// That factor of a method with this `Method.halo_factor` at a boundary: beyond its halo a tile with MIRROR has what it
// repeats, which is not what is there; with EXTEND it is free. At least 1.
double HaloFactor(double method_factor, v1::Boundary boundary);

}  // namespace deconvoy
