#include "worker/ops/slope_taps.h"

#include <cmath>

namespace deconvoy::worker {
namespace {

constexpr Voxel kUnits[3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

}  // namespace

std::vector<SlopeTap> SlopeTaps(Slopes slopes, const std::array<float, 3>& factors) {
  std::vector<SlopeTap> taps;
  if (slopes == Slopes::kFirst) {
    for (size_t axis = 0; axis < 3; ++axis) {
      taps.push_back({axis, kUnits[axis], factors[axis]});
      taps.push_back({axis, {}, -factors[axis]});
    }
  }
  if (slopes == Slopes::kSecond) {
    for (size_t axis = 0; axis < 3; ++axis) {
      const float factor = factors[axis] * factors[axis];
      taps.push_back({axis, kUnits[axis], factor});
      taps.push_back({axis, {}, -2 * factor});
      taps.push_back({axis, Voxel{} - kUnits[axis], factor});
    }
    size_t part = 3;
    for (size_t a = 0; a < 3; ++a) {
      for (size_t b = a + 1; b < 3; ++b, ++part) {
        const float factor = std::sqrt(2.0F) * factors[a] * factors[b];
        taps.push_back({part, kUnits[a] + kUnits[b], factor});
        taps.push_back({part, kUnits[a], -factor});
        taps.push_back({part, kUnits[b], -factor});
        taps.push_back({part, {}, factor});
      }
    }
  }
  return taps;
}

}  // namespace deconvoy::worker
