// The scaling filters of wavelets as numbers, for convolution on a circle.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

// h[first] and on, of a circle of `extent` numbers: at most as many, and fewer where the others together are less than
// single precision can tell. None of Haar's. REQUIRES: an even extent.
struct WaveletTaps {
  int64_t first = 0;
  std::vector<float> h;
};
WaveletTaps MakeWaveletTaps(Wavelet wavelet, int64_t extent);

}  // namespace deconvoy::worker::cuda
