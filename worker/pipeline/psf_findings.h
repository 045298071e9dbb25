// What is found when a PSF is held against its optics and its image's voxels, as findings of a job.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Compares the PSF of channel `c`, on voxels of `voxel`, with `optics` (worker/psf/optics_check.h): its widths as an
// INFO, its defects as WARNINGs. Where the voxel size is not known along every axis that has planes, an INFO says that
// it could not be compared. REQUIRES: ValidateOptics accepts the optics; values as CompareWithOptics needs them.
std::vector<v1::Finding> OpticsFindings(std::span<const float> values, const Shape3& shape, uint32_t c,
                                        const v1::VoxelSize& voxel, const v1::Optics& optics,
                                        v1::Microscopy microscopy);

// `size`, and from `other` where it is not known.
v1::VoxelSize Or(const v1::VoxelSize& size, const v1::VoxelSize& other);

}  // namespace deconvoy::worker
