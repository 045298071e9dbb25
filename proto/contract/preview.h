// The pixels of the preview of a result: the maximum projection of a frame along z, with fewer pixels.
//
// Pixel (i, j) stands for the rows i * step to before (i + 1) * step of the result, and likewise for its columns. Pure
// functions.
#pragma once

#include <cstdint>

#include "proto/contract/geometry.h"

namespace deconvoy {

// The most pixels that a preview may have along y and x.
inline constexpr int64_t kPreviewPixels = 256;

// The least step with which a frame of these extents has no more; at least 1. REQUIRES: `frame` is not empty.
int64_t PreviewStep(const Shape3& frame);

// The pixels that `box`, a part of a frame, touches; one plane, at z = 0. REQUIRES: `box` is not empty, step > 0.
Box3 PreviewPixels(const Box3& box, int64_t step);

}  // namespace deconvoy
