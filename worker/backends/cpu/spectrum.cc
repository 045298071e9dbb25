#include "worker/backends/cpu/spectrum.h"

#include <algorithm>

namespace deconvoy::worker::cpu {
namespace {

constexpr int64_t kLine = 8;  // complex numbers of a cache line
constexpr int64_t kCacheWays =
    512;  // complex numbers after which addresses meet in the same set of a first-level cache
constexpr int64_t kBundleBytes = 32768;

}  // namespace

int64_t ColumnsAtOnce(int64_t extent, int64_t columns) {
  int64_t width = 32;
  while (width > kLine && (extent * width * 8 > kBundleBytes || width / 2 >= columns)) width /= 2;
  return width;
}

SpectrumLayout::SpectrumLayout(const Shape3& shape) : domain(shape), row(shape.x / 2 + 1) {
  const int64_t columns = shape.y * row;
  bundle_width = ColumnsAtOnce(shape.z, columns);
  strip_width = ColumnsAtOnce(shape.y, row);
  bundles = (columns + bundle_width - 1) / bundle_width;
  plane = bundles * bundle_width;
  // The same column of neighbouring planes must not fall into the same cache set.
  if (shape.z > 1 && plane >= kCacheWays) plane += (kLine - plane % kCacheWays + kCacheWays) % kCacheWays;
}

}  // namespace deconvoy::worker::cpu
