// What is found when a PSF is held against its optics and its image's voxels, as findings of a job.
//
// Pure functions.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/psf_grid.h"

namespace deconvoy::worker {

// Compares the PSF of channel `c`, on voxels of `voxel`, with `optics` (worker/psf/optics_check.h): its widths as an
// INFO, its defects as WARNINGs. Where the voxel size is not known along every axis that has planes, an INFO says that
// it could not be compared. REQUIRES: ValidateOptics accepts the optics; values as CompareWithOptics needs them.
std::vector<v1::Finding> OpticsFindings(std::span<const float> values, const Shape3& shape, uint32_t c,
                                        const v1::VoxelSize& voxel, const v1::Optics& optics,
                                        v1::Microscopy microscopy);

// The defect that a finding about a PSF names (worker/psf/check.h); empty for one that names none.
std::string DefectOf(const v1::Finding& finding);

// Whether a PSF can be told at the image's voxels. VOXEL_SIZE_MISMATCH.
absl::Status CheckSteps(const PsfSteps& steps);

// The voxels that a PSF of such voxels is told at.
v1::VoxelSize TimesSteps(v1::VoxelSize voxel, const PsfSteps& steps);

}  // namespace deconvoy::worker
