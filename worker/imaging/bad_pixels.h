// Hot and dead pixels of a camera: those that stand out at the same place of all planes.
//
// Of each pixel over the planes: M the mean of the middle half of its values, L its lower quartile. e is what M is
// above the median of the eight neighbours' M. Pixels are sorted by the latter into groups; e is compared with its
// deviation in the group, without those beyond four deviations. A pixel is bad when
//
//   |e| > 8 deviations             it stands out,
//   |N - R| < |M - R| / 5          alone: N is the median of its neighbours, R that of the 16 pixels around them. An
//                                  image of a point, blurred to two pixels' width, has its neighbours stand out, too,
//   L stands out by e / 2 as well  always: a structure does in some planes. A quarter is asked where e is below 0, as a
//                                  dead pixel hides what light there is.
//
// Planes in which a pixel is no finite number are left out of its M and L. It is not judged where these are others for
// a pixel up to two away, or fewer than 5 are left.
#pragma once

#include <cstdint>
#include <vector>

namespace deconvoy::worker {

// With fewer planes, or pixels along an axis, nothing can be told.
inline constexpr int64_t kLeastPlanesForBadPixels = 5;
inline constexpr int64_t kLeastExtentForBadPixels = 16;

// Memory that it takes for each pixel of a plane.
inline constexpr int64_t kBadPixelBytes = 28;

// Their places, y * columns + x, rising. `values`: the pixels of one plane after those of the other. REQUIRES: at least
// so many planes, at most 32, planes * rows * columns values.
std::vector<uint32_t> FindBadPixels(std::vector<float> values, int64_t planes, int64_t columns);

}  // namespace deconvoy::worker
