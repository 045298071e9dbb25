// Orthonormal wavelets in double precision, by the filters' own coefficients and direct sums.
#pragma once

#include <array>

#include "tests/reference/reference.h"

namespace deconvoy::reference {

struct Shrunk {
  Volume volume;
  double magnitudes = 0;  // of the fine coefficients that are left
};

// W* S W x over `scales` scales; degree 0 is Haar's wavelet, 1, 3 and 5 those of Battle and Lemarie. Lines of the first
// scale begin at `start` (z, y, x) and go round.
Shrunk ShrinkWavelets(const Volume& x, int degree, int scales, double threshold, const std::array<int64_t, 3>& start);

}  // namespace deconvoy::reference
