// Images at another size.
#pragma once

#include <cstdint>
#include <vector>

namespace deconvoy::client {

// `image` (rows of `width`) at `new_width` x `new_height`, with a triangle filter along each axis: linear interpolation
// when it grows, weighted averages when it shrinks. Edges repeat their outermost pixel. REQUIRES: all sizes at least 1.
std::vector<float> Resample(const std::vector<float>& image, int64_t width, int64_t new_width, int64_t new_height);

}  // namespace deconvoy::client
