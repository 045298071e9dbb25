// What became of a result: dark, clipped, lost to rounding, or as it should be.
//
// Pure functions.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::server {

// A WARNING that this many voxels of `what` did not fit into `type`. REQUIRES: voxels > 0.
v1::Finding ClippingFinding(uint64_t voxels, std::string_view what, v1::VoxelType type);

// WARNINGs about a whole result, from the statistics of all its tiles: voxels clipped, or a brightest voxel so few
// counts above zero (the offset, where that is kept) that rounding takes much of the result. INVALID_FIELD when the
// result holds nothing of the light that a frame of the input has above its background, as where image and PSF are
// swapped, or when every voxel of it would be stored as zero. Of an input without light nothing is too dark, and
// a region of one may be dark by right: then there is a WARNING at most.
absl::StatusOr<std::vector<v1::Finding>> CheckResult(const v1::DeconvolveSpec& spec, const v1::AnalyseResult& analysis,
                                                     const v1::ResultStatistics& result);

}  // namespace deconvoy::server
