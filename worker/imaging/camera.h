// A camera: photons in, counts with noise out.
//
//   counts = round((Poisson(photons + background) + read_noise * Normal) / gain + offset), clipped to the type
//
// F32 is neither rounded nor clipped. Noise is keyed by seed and voxel, the same whatever the order of drawing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "deconvoy/v1/volumes.pb.h"
#include "worker/imaging/counts.h"

namespace deconvoy::worker {

struct Camera {
  CountScale scale = {};
  double background_photons = 0;
  v1::VoxelType type = v1::U16;
  uint64_t seed = 0;
};

// The voxels from index `first` on of the volume. Returns how many were clipped. REQUIRES: room in `raw`.
uint64_t Expose(const Camera& camera, std::span<const float> photons, int64_t first, std::span<std::byte> raw);

}  // namespace deconvoy::worker
