// The way of stored counts to the device where nothing has to be done to them on the host.
#pragma once

#include <absl/status/status.h>

#include "worker/pipeline/measured.h"

namespace deconvoy::worker {

// Whether `from` can go to an array over `box` like this: integers, of which every voxel counts, where it was recorded,
// as it was recorded, and nothing but them.
bool LoadsCounts(const ImageSource& from, const Box3& box);

// Reads the counts into staging that the device copies from by itself, two slabs in turn, so that the next one is read
// meanwhile; the device turns them into photons by the read noise rule. Each plane is told to `visit`. Errors: those of
// source and ops. REQUIRES: LoadsCounts.
absl::Status LoadCounts(const ImageSource& from, Array& y, Ops& ops, VolumeSource& source, const MeasuredCounts& visit);

}  // namespace deconvoy::worker
