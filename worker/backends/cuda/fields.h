// What kernels read and write: plain values that point into memory of the device.
#pragma once

#include <cmath>
#include <cstdint>

#include "proto/contract/geometry.h"
#include "worker/backends/cuda/launch.h"

namespace deconvoy::worker::cuda {

// An array over a box of the domain, in z,y,x order; positions are those of the domain. Null: there is none.
struct Field {
  float* data = nullptr;
  Voxel origin;
  Shape3 shape;

  DECONVOY_DEVICE bool holds(int64_t z, int64_t y, int64_t x) const {
    return z >= origin.z && z < origin.z + shape.z && y >= origin.y && y < origin.y + shape.y && x >= origin.x &&
           x < origin.x + shape.x;
  }
  DECONVOY_DEVICE int64_t index(int64_t z, int64_t y, int64_t x) const {
    return ((z - origin.z) * shape.y + (y - origin.y)) * shape.x + (x - origin.x);
  }
  DECONVOY_DEVICE float& at(int64_t z, int64_t y, int64_t x) const { return data[index(z, y, x)]; }
};

// The domain as transforms work on it, in place: rows with room for x/2 + 1 complex numbers.
struct Grid {
  float* data;
  Shape3 domain;
  int64_t row;  // complex numbers of a row

  DECONVOY_DEVICE int64_t pitch() const { return 2 * row; }
  DECONVOY_DEVICE int64_t plane() const { return domain.y * row; }  // complex numbers
  DECONVOY_DEVICE float& at(int64_t z, int64_t y, int64_t x) const { return data[(z * domain.y + y) * pitch() + x]; }
};

// Read and written in one piece.
struct alignas(8) Complex32 {
  float re, im;
};

// The numbers of an OTF in the order of the grid's complex numbers: real ones or complex ones, the other null.
struct OtfField {
  float* real;
  Complex32* complex;

  DECONVOY_DEVICE Complex32 at(int64_t i) const { return real != nullptr ? Complex32{real[i], 0} : complex[i]; }
};

// w of every voxel: a table over classes of positions (worker/ops/axis_classes.h).
struct WeightField {
  const float* table = nullptr;                            // null: 1 everywhere
  const int32_t *z = nullptr, *y = nullptr, *x = nullptr;  // classes by position
  int64_t classes_y = 0, classes_x = 0;

  DECONVOY_DEVICE int64_t index(int64_t k, int64_t j, int64_t i) const {
    return (z[k] * classes_y + y[j]) * classes_x + x[i];
  }
  DECONVOY_DEVICE float at(int64_t k, int64_t j, int64_t i) const { return table[index(k, j, i)]; }
};

// An Extrapolate of worker/ops/backend.h.
struct Extrapolated {
  Field x;
  const float* previous = nullptr;  // null: p = x
  float alpha = 0;
  float floor = 0;
  bool floored = false;

  // REQUIRES: x holds it.
  DECONVOY_DEVICE float inside(int64_t z, int64_t y, int64_t column) const {
    const int64_t i = x.index(z, y, column);
    const float here = x.data[i];
    if (previous == nullptr) return here;
    const float step = here + alpha * (here - previous[i]), least = floor * here;
    return floored && step < least ? least : step;
  }
  DECONVOY_DEVICE float at(int64_t z, int64_t y, int64_t column) const {
    return x.holds(z, y, column) ? inside(z, y, column) : 0.0F;
  }
};

// A position on a circle of `extent`, that is less than once around away.
DECONVOY_DEVICE int64_t Around(int64_t i, int64_t extent) {
  return i < 0 ? i + extent : i >= extent ? i - extent : i;
}

// K of a splitting by differences, or K*: which voxels around one belong to which parts. Goes round the domain.
struct Stencil {
  static constexpr int kMostTaps = 10;
  static constexpr int kMostParts = 6;
  struct Tap {
    int32_t z, y, x;  // -1, 0 or 1
    float factors[kMostParts];
  };
  int32_t parts = 0;
  int32_t taps = 0;
  Tap tap[kMostTaps] = {};
};

// Sums of doubles.
template <int kCount>
struct Totals {
  double value[kCount];

  DECONVOY_DEVICE static Totals Nothing() {
    Totals none;
    for (int k = 0; k < kCount; ++k) none.value[k] = 0;
    return none;
  }
  DECONVOY_DEVICE void Add(const Totals& other) {
    for (int k = 0; k < kCount; ++k) value[k] += other.value[k];
  }
};

// What a Reduction sums up.
struct Extremes {
  double sum;
  double not_finite;
  float minimum;
  float maximum;

  DECONVOY_DEVICE static Extremes Nothing() { return {0, 0, INFINITY, -INFINITY}; }
  DECONVOY_DEVICE void Add(const Extremes& other) {
    sum += other.sum;
    not_finite += other.not_finite;
    minimum = other.minimum < minimum ? other.minimum : minimum;
    maximum = other.maximum > maximum ? other.maximum : maximum;
  }
};

// What becomes of values on their way to voxels.
struct VoxelSums {
  double minimum, maximum, sum;             // counts
  double clipped, not_finite, voxels, lit;  // how many; `lit` have light

  DECONVOY_DEVICE static VoxelSums Nothing() { return {INFINITY, -INFINITY, 0, 0, 0, 0, 0}; }
  DECONVOY_DEVICE void Add(const VoxelSums& other) {
    minimum = other.minimum < minimum ? other.minimum : minimum;
    maximum = other.maximum > maximum ? other.maximum : maximum;
    sum += other.sum;
    clipped += other.clipped;
    not_finite += other.not_finite;
    voxels += other.voxels;
    lit += other.lit;
  }
};

}  // namespace deconvoy::worker::cuda
