// Images that a camera could not hold.
#pragma once

#include <optional>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/frame_statistics.h"

namespace deconvoy::worker {

// A warning where at least 10 voxels, and one in a million, of `frame` have its maximum and that is the most that 8,
// 10, 12, 14 or 16 bits hold: brighter light looks the same. `facts` are those of an image of whole counts before
// bleaching, flicker and backgrounds are corrected, of the voxels that count. None with a flat field, after which no
// two voxels have the same value.
std::optional<v1::Finding> FindSaturation(const v1::DeconvolveSpec& spec, const FrameBox& frame,
                                          const CountScale& scale, const FrameFacts& facts);

}  // namespace deconvoy::worker
