// A PSF whose voxels are not of the image's size is told at the image's voxels (worker/psf/resample.h); here is when,
// and what that makes of its extents, alike for client, server and worker.
#pragma once

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

inline constexpr double kSameVoxelSize = 0.03;  // relative difference up to which voxel sizes count as equal
// How much finer or coarser than the image's the PSF's voxels may be. Coarser ones would have to be made up.
inline constexpr double kMostPsfStep = 10;
inline constexpr double kLeastPsfStep = 0.4;

// The image's voxel size over the PSF's along each axis: 1 where they count as equal, or where one is not known.
struct PsfSteps {
  double z = 1, y = 1, x = 1;

  bool same() const { return z == 1 && y == 1 && x == 1; }
  bool usable() const;  // all between kLeastPsfStep and kMostPsfStep

  friend bool operator==(const PsfSteps&, const PsfSteps&) = default;
};

PsfSteps StepsOf(const v1::VoxelSize& image, const v1::VoxelSize& psf);
PsfSteps StepsOf(const v1::PsfReport& report);

// The origin on the image's grid.
Voxel ToldOrigin(const Voxel& origin, const PsfSteps& steps);
// Extent along one axis there: as many voxels as have their middle inside. REQUIRES: origin from 0, below `extent`.
int64_t ToldExtent(int64_t extent, int64_t origin, double step);

// The most voxels of the image's size that a PSF can have along each axis.
Shape3 MostTold(const Shape3& psf, const PsfSteps& steps);
// The larger of both extents along each axis, of which everything on the way from one grid to the other is at most.
Shape3 PsfRoom(const Shape3& psf, const PsfSteps& steps);

}  // namespace deconvoy
