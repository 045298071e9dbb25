// What became of noise and of edges in a result, gathered plane by plane.
//
// A flat region is a block of 8 x 8 voxels in a plane, its corners at multiples of 8, in which the image varies by no
// more than its neighbours along x differ: v <= 5/4 d / 2, v being the variance in the block and d the mean square of
// those differences, d > 0. Structures that are resolved, and noise that neighbours share, make v larger. Blocks that
// hold a NaN, or have one beside them, are none.
//
// A ring voxel lies below zero by more than 1/20 of the brightest light of the frame, and within 4 voxels along x of a
// voxel of the result that has at least a quarter of it. A method whose result is never negative has none.
#pragma once

#include <cstdint>
#include <span>

namespace deconvoy::worker {

// Of flat regions.
inline constexpr int64_t kFlatBlock = 8;    // voxels
inline constexpr double kFlatRatio = 1.25;  // variance over that between neighbours

// Of ring voxels.
inline constexpr float kRingDark = 0.05F;    // of the brightest light
inline constexpr float kRingBright = 0.25F;  // likewise
inline constexpr int64_t kRingReach = 4;     // voxels

struct NoiseSums {
  uint64_t flat_voxels = 0;
  double flat_before = 0;  // squared deviations of the image from the block's mean, photons^2
  double flat_after = 0;   // the same of the result
  uint64_t ring_voxels = 0;

  NoiseSums& operator+=(const NoiseSums& other);
};

// Flat regions of a plane of `columns` voxels a row. REQUIRES: both of one size, a multiple of `columns`.
void AddFlat(std::span<const float> image, std::span<const float> result, int64_t columns, NoiseSums& sums);

// Ring voxels of a plane of the result. `brightest`: of the image above its background, photons.
void AddRings(std::span<const float> result, int64_t columns, double brightest, NoiseSums& sums);

}  // namespace deconvoy::worker
