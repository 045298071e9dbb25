#include "worker/backends/cpu/spectrum.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr int64_t kLine = 8;  // complex numbers of a cache line
constexpr int64_t kCacheWays =
    512;  // complex numbers after which addresses meet in the same set of a first-level cache

}  // namespace

int64_t LinePitch(int64_t extent) {
  return (extent / kLine + 2) * kLine;
}

SpectrumLayout::SpectrumLayout(const Shape3& shape) : domain(shape), row(shape.x / 2 + 1) {
  bundles = (shape.y * row + kColumnsAtOnce - 1) / kColumnsAtOnce;
  plane = bundles * kColumnsAtOnce;
  // The same column of neighbouring planes must not fall into the same cache set.
  if (shape.z > 1 && plane >= kCacheWays) plane += (kLine - plane % kCacheWays + kCacheWays) % kCacheWays;
}

}  // namespace deconvoy::worker::cpu
