#include "worker/backends/cpu/spectrum.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr int64_t kLine = 8;  // complex numbers of a cache line

// The next odd number of cache lines: steps of as many pass through every set of a cache before they meet one again.
int64_t OddLines(int64_t numbers) {
  return ((numbers + kLine - 1) / kLine | 1) * kLine;
}

}  // namespace

int64_t LinePitch(int64_t extent) {
  return OddLines(extent);
}

SpectrumLayout::SpectrumLayout(const Shape3& shape) : domain(shape), row(shape.x / 2 + 1) {
  bundles = (shape.y * row + kColumnsAtOnce - 1) / kColumnsAtOnce;
  plane = OddLines(bundles * kColumnsAtOnce);
}

}  // namespace deconvoy::worker::cpu
