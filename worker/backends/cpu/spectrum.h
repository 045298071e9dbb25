// Where the half spectrum of a domain lies in memory.
#pragma once

#include <cstdint>

#include "proto/contract/geometry.h"

namespace deconvoy::worker::cpu {

// Planes of rows of nx/2 + 1 complex numbers (kx), gaps only after a plane. A *column* is one (ky, kx) over all planes;
// columns are numbered as they lie in a plane and taken in *bundles* of neighbours.
struct SpectrumLayout {
  explicit SpectrumLayout(const Shape3& shape);

  Shape3 domain;
  int64_t row;           // complex numbers of a row
  int64_t plane;         // from plane to plane
  int64_t bundle_width;  // columns of a bundle along z
  int64_t bundles;       // the last one may reach into the gap, which holds zeros
  int64_t strip_width;   // columns of one plane that are transformed along y together

  int64_t total() const { return domain.z * plane; }
  // Complex numbers of an OTF: for each bundle, planes of bundle_width.
  int64_t otf() const { return bundles * bundle_width * domain.z; }
};

// Columns that are transformed at once where there are `columns`: as many whole cache lines as stay in the first-level
// cache.
int64_t ColumnsAtOnce(int64_t extent, int64_t columns);

}  // namespace deconvoy::worker::cpu
