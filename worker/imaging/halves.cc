#include "worker/imaging/halves.h"

#include <cmath>

#include "proto/contract/limits.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

constexpr uint64_t kCoinStream = 11;
constexpr double kMostTossed = 0x1p50;  // beyond, single precision does not tell the share from 1/2
constexpr int kAxisBits = 21;           // a key of its own for each voxel
static_assert(limits::kAxisVoxels <= int64_t{1} << kAxisBits);

uint64_t KeyOf(const Voxel& voxel) {
  return (static_cast<uint64_t>(voxel.z) << (2 * kAxisBits)) | (static_cast<uint64_t>(voxel.y) << kAxisBits) |
         static_cast<uint64_t>(voxel.x);
}

}  // namespace

void ShareOfFirstHalf(uint64_t seed, const Voxel& first, std::span<const float> photons, std::span<float> share) {
  const uint64_t key = KeyOf(first);
  for (size_t i = 0; i < photons.size(); ++i) {
    const double y = photons[i];
    if (!(y > 0) || y > kMostTossed) {
      share[i] = 0.5F;
      continue;
    }
    const double whole = std::floor(y);
    Random coins = Random::OfVoxel(seed, kCoinStream, key + i);
    const auto heads = static_cast<double>(coins.Heads(static_cast<int64_t>(whole)));
    const double rest = coins.Heads(1) == 1 ? y - whole : 0;
    share[i] = static_cast<float>((heads + rest) / y);
  }
}

}  // namespace deconvoy::worker
