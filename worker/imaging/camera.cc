#include "worker/imaging/camera.h"

#include <algorithm>

#include "worker/imaging/random.h"

namespace deconvoy::worker {

uint64_t Expose(const Camera& camera, std::span<const float> photons, int64_t first, std::span<std::byte> raw) {
  constexpr uint64_t kNoiseStream = 2;
  uint64_t clipped = 0;
  for (size_t i = 0; i < photons.size(); ++i) {
    Random random = Random::OfVoxel(camera.seed, kNoiseStream, static_cast<uint64_t>(first) + i);
    const double mean = std::max(static_cast<double>(photons[i]), 0.0) + camera.background_photons;
    double seen = random.Poisson(mean);
    if (camera.scale.read_noise > 0) seen += camera.scale.read_noise * random.Normal();
    StoreVoxel(seen / camera.scale.gain + camera.scale.offset_counts, camera.type, raw, i, clipped);
  }
  return clipped;
}

}  // namespace deconvoy::worker
