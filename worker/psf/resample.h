// A PSF told at voxels of another size, the image's.
//
// Its origin stays a voxel. With `step` the image's voxel size over the PSF's along an axis, voxel i of the new grid
// lies at o + (i - floor(o / step)) step of the old one, o the origin; it has as many voxels as have their middle
// inside. Between voxels the PSF is cubic (Catmull and Rom), 0 outside. Its voxels are means over their size; those of
// a coarser grid become means over theirs: the cubic is averaged over a window of sqrt(step^2 - 1) old voxels, which
// adds what the variance of a voxel lacks. On a finer grid it is taken as it is. At last the sum is made the old one's;
// negative values become 0.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/contract/geometry.h"
#include "proto/contract/psf_grid.h"

namespace deconvoy::worker {

// Extents of the new grid (ToldOrigin in psf_grid.h tells its origin). REQUIRES: origin inside `shape`.
Shape3 ToldShape(const Shape3& shape, const Voxel& origin, const PsfSteps& steps);

// Memory: 8 bytes for each voxel of a grid that has the larger of both extents along every axis. REQUIRES: as above;
// usable steps.
std::vector<float> Resample(std::vector<float> values, const Shape3& shape, const Voxel& origin, const PsfSteps& steps);

}  // namespace deconvoy::worker
