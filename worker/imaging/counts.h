// Between the counts a camera wrote and the photons that methods work on.
//
//   photons = (counts - offset) * gain - d          d dark current, and for the methods, with read noise of deviation
//   s: y       = max(photons + v, 0),  background + v  v = s^2 + d (a Poisson variable of the same mean and variance)
//   counts  = photons / gain (+ offset when it is kept)
//
// Pure functions on spans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::worker {

struct CountScale {
  double offset_counts = 0;
  double gain = 1;        // photons per count, > 0
  double read_noise = 0;  // photons, standard deviation
  double dark = 0;        // dark current of one exposure, electrons

  double variance() const { return read_noise * read_noise + dark; }
};

// Voxels of any type as float. REQUIRES: as many bytes as values.size() voxels of `type` have.
void ToFloat(std::span<const std::byte> raw, v1::VoxelType type, std::span<float> values);

// Counts to photons, in place, without the read noise rule. Not finite stays so.
void ToPhotons(const CountScale& scale, std::span<float> values);

// Photons to y, in place: the read noise rule.
void ApplyReadNoise(const CountScale& scale, std::span<float> values);

// What became of a stretch of voxels on its way out.
struct CountTotals {
  double minimum = 0;  // counts, before rounding and clipping
  double maximum = 0;
  double sum = 0;
  uint64_t clipped = 0;     // values that the type cannot hold
  uint64_t not_finite = 0;  // NaN or infinity, for F32 also beyond its range; left out of the others, written as 0
  uint64_t voxels = 0;      // finite ones
  bool all_zero = true;     // no photons anywhere

  void Merge(const CountTotals& other);
};

// Photons to counts of `type`: integers are rounded half away from zero and clipped to what the type holds.
// REQUIRES: room for photons.size() voxels in `raw`.
CountTotals ToCounts(const CountScale& scale, bool keep_offset, std::span<const float> photons, v1::VoxelType type,
                     std::span<std::byte> raw);

// One value, rounded half away from zero and clipped to [0, maximum of type]; `clipped` counts. F32 is kept as it is.
// Writes it at voxel `index` of `raw`.
void StoreVoxel(double value, v1::VoxelType type, std::span<std::byte> raw, size_t index, uint64_t& clipped);

}  // namespace deconvoy::worker
