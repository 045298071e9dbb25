// Photons split into two halves, which are independent of each other where counts are Poisson distributed.
//
// A fair coin for each whole photon, and one for what is left of a photon, decides whether it goes to the first half:
// y1 + y2 = y, y1 is binomial where y is whole. The coins depend on the seed and on the voxel's place in its frame
// alone, so that tiles agree.
#pragma once

#include <cstdint>
#include <span>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// share = y1 / y in single precision, of voxels of a row, of which `first` is the place of the first one in the frame;
// 1/2 where y is not above 0. REQUIRES: as many values in both, `first` not negative.
void ShareOfFirstHalf(uint64_t seed, const Voxel& first, std::span<const float> photons, std::span<float> share);

}  // namespace deconvoy::worker
