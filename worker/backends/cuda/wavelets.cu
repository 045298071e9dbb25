// Orthonormal wavelets: a scale of one axis at a time, each number from the numbers around it.
#include "worker/backends/cuda/kernels.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr float kRootHalf = 0.70710678118654752440F;

// A line of the pass through a position, and where along it that is.
struct LineOf {
  int64_t base, stride, extent, at;
};

DECONVOY_DEVICE LineOf LineThrough(const WaveletPass& pass, int64_t z, int64_t y, int64_t x) {
  const int64_t row = pass.array.x, plane = pass.array.y * pass.array.x;
  if (pass.axis == 0) return {y * row + x, plane, pass.part.z, z};
  if (pass.axis == 1) return {z * plane + x, row, pass.part.y, y};
  return {z * plane + y * row, 1, pass.part.x, x};
}

// The alternating sign (-1)^j.
DECONVOY_DEVICE float Sign(int64_t j) {
  return j % 2 == 0 ? 1.0F : -1.0F;
}

// Position `at` of a split line: of 2h numbers x (and a last one)
//   coarse[i] = sum over j of h[j] x[2i - j],  fine[i] = sum over j of (-1)^j h[j] x[2i + 1 - j]
// on a circle of 2h. Haar's are (x[2i] + x[2i+1]) and (x[2i] - x[2i+1]) over the root of 2.
struct SplitVisit {
  WaveletPass pass;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const LineOf line = LineThrough(pass, z, y, x);
    const int64_t half = line.extent / 2, even = 2 * half, coarse = line.extent - half;
    const auto number = [&](int64_t i) {
      const int64_t from = pass.start + i;
      return pass.from[line.base + (from >= line.extent ? from - line.extent : from) * line.stride];
    };
    float value = 0;
    if (line.at >= half && line.at < coarse) {
      value = number(even);
    } else {
      const bool is_fine = line.at >= coarse;
      const int64_t i = is_fine ? line.at - coarse : line.at;
      if (pass.taps == nullptr) {
        const float first = number(2 * i), second = number(2 * i + 1);
        value = kRootHalf * (is_fine ? first - second : first + second);
      } else {
        const int64_t centre = is_fine ? 2 * i + 1 : 2 * i;
        for (int32_t k = 0; k < pass.tap_count; ++k) {
          const int64_t j = pass.first_tap + k;
          const float h = is_fine && j % 2 != 0 ? -pass.taps[k] : pass.taps[k];
          value += h * number(Around(centre - j, even));
        }
      }
    }
    pass.to[line.base + line.at * line.stride] = value;
  }
};

// Number `i` of a line from its coarse and fine ones:
//   x[i] = sum over j = i (mod 2) of h[j] coarse[(i - j) / 2] + sum over j /= i of (-1)^j h[j] fine[(i + j - 1) / 2]
// on a circle of half as many.
struct JoinVisit {
  WaveletPass pass;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const LineOf line = LineThrough(pass, z, y, x);
    const int64_t half = line.extent / 2, coarse = line.extent - half, i = line.at;
    const auto number = [&](int64_t at) { return pass.from[line.base + at * line.stride]; };
    float value = 0;
    if (i == 2 * half) {
      value = number(half);
    } else if (pass.taps == nullptr) {
      const float low = number(i / 2), high = number(coarse + i / 2);
      value = kRootHalf * (i % 2 == 0 ? low + high : low - high);
    } else {
      for (int32_t k = 0; k < pass.tap_count; ++k) {
        const int64_t j = pass.first_tap + k;
        const float h = pass.taps[k];
        value += (i - j) % 2 == 0 ? h * number(Around((i - j) / 2, half))
                                  : Sign(j) * h * number(coarse + Around((i + j - 1) / 2, half));
      }
    }
    const int64_t to = pass.start + i;
    pass.to[line.base + (to >= line.extent ? to - line.extent : to) * line.stride] = value;
  }
};

struct ShrinkVisit {
  Field array;
  Shape3 coarse;
  float threshold;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x, Totals<1>& sums) const {
    if (z < coarse.z && y < coarse.y && x < coarse.x) return;
    float& value = array.data[(z * array.shape.y + y) * array.shape.x + x];
    const float v = value;
    value = v > threshold ? v - threshold : v < -threshold ? v + threshold : 0.0F;
    sums.value[0] += fabsf(value);
  }
};

}  // namespace

int RunSplit(const LaunchPlace& place, const WaveletPass& pass) {
  return ForEach(place, pass.part, SplitVisit{pass});
}

int RunJoin(const LaunchPlace& place, const WaveletPass& pass) {
  return ForEach(place, pass.part, JoinVisit{pass});
}

int RunShrink(const LaunchPlace& place, const Field& array, const Shape3& coarse, float threshold, Totals<1>* sums) {
  return Sum(place, array.shape, /*onto=*/false, sums, ShrinkVisit{array, coarse, threshold});
}

}  // namespace deconvoy::worker::cuda
