// Whether what an analysis tells can be of use to the tiles that come after it.
//
// Pure functions.
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::server {

// INVALID_FIELD where it has not a frame of each of the input, or with `first_planes` of its first time point, a camera
// of each channel and a report of each PSF, and with models a scale of each channel, or says of them what cannot be.
// `result`: the size of its voxels.
absl::Status CheckAnalysis(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input, const v1::VolumeSpec& psf,
                           const v1::VoxelSize& result, const v1::AnalyseResult& analysis);

}  // namespace deconvoy::server
