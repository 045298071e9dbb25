// Reductions of a stretch of voxels that a compiler can turn into vector instructions: several sums side by side
// instead of one, in an order that does not depend on the processor.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace deconvoy::worker {

inline constexpr size_t kLanes = 8;

// Whether no value is NaN or infinite.
inline bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (const float v : values) bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(v) & kExponent) == kExponent);
  return bad == 0;
}

// The sum of eight values, in pairs.
inline double PairwiseSum(const std::array<double, kLanes>& v) {
  static_assert(kLanes == 8);
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// Minimum, maximum and sum of finite values.
class Lanes {
 public:
  Lanes() {
    minimum_.fill(std::numeric_limits<double>::infinity());
    maximum_.fill(-std::numeric_limits<double>::infinity());
  }

  // At most kLanes values.
  void Add(const double* values, size_t count) {
    if (count == kLanes) {
      for (size_t i = 0; i < kLanes; ++i) AddTo(i, values[i]);
    } else {
      for (size_t i = 0; i < count; ++i) AddTo(i, values[i]);
    }
  }
  // Infinite as long as there are no values.
  double minimum() const { return *std::min_element(minimum_.begin(), minimum_.end()); }
  double maximum() const { return *std::max_element(maximum_.begin(), maximum_.end()); }
  double sum() const { return PairwiseSum(sum_); }

 private:
  void AddTo(size_t lane, double value) {
    minimum_[lane] = std::min(minimum_[lane], value);
    maximum_[lane] = std::max(maximum_[lane], value);
    sum_[lane] += value;
  }

  std::array<double, kLanes> minimum_, maximum_, sum_{};
};

}  // namespace deconvoy::worker
