// Where the half spectrum of a domain lies in memory.
#pragma once

#include <cstdint>

#include "proto/contract/geometry.h"

namespace deconvoy::worker::cpu {

constexpr int64_t kColumnsAtOnce = 16;  // moved together: two cache lines of every row

// Planes of rows of nx/2 + 1 complex numbers (kx), gaps only after a plane. A *column* is one (ky, kx) over all planes;
// columns are numbered as they lie in a plane and taken in *bundles* of kColumnsAtOnce neighbours. Along y they are
// taken in *strips* of as many.
struct SpectrumLayout {
  explicit SpectrumLayout(const Shape3& shape);

  Shape3 domain;
  int64_t row;      // complex numbers of a row
  int64_t plane;    // from plane to plane: an odd number of cache lines
  int64_t bundles;  // the last one may reach into the gap, which holds zeros

  int64_t total() const { return domain.z * plane; }
  // Complex numbers of an OTF: its columns, one after another.
  int64_t otf() const { return bundles * kColumnsAtOnce * domain.z; }
};

// Complex numbers from one contiguous column to the next where several are side by side: an odd number of cache lines.
int64_t LinePitch(int64_t extent);

}  // namespace deconvoy::worker::cpu
