// Sizes that every method is compared at.
#pragma once

#include <fmt/format.h>

#include <string>

#include "proto/contract/geometry.h"

namespace deconvoy::reference {

struct Size {
  Shape3 image;
  Shape3 psf;
};

// Of a test: the extents of the image.
inline std::string NameOf(const Size& size) {
  return fmt::format("{}x{}x{}", size.image.z, size.image.y, size.image.x);
}

// A domain on which nothing wraps around; one more than needed along x.
inline Shape3 ExtendedDomain(const Size& size) {
  const Shape3 &n = size.image, &h = size.psf;
  return {n.z + h.z - 1, n.y + h.y - 1, n.x + h.x};
}

inline constexpr Size kSizes[] = {
    {{6, 8, 10}, {3, 3, 5}},   // even
    {{5, 9, 7}, {3, 5, 3}},    // odd
    {{7, 11, 13}, {5, 3, 4}},  // prime, an even PSF
    {{1, 16, 15}, {1, 5, 5}},  // one plane
    {{1, 23, 1}, {1, 7, 1}},   // one column
    {{1, 1, 20}, {1, 1, 6}},   // one row
    {{9, 1, 1}, {3, 1, 1}},    // one line along z
    {{4, 6, 5}, {6, 9, 8}},    // a PSF larger than the volume
};

}  // namespace deconvoy::reference
