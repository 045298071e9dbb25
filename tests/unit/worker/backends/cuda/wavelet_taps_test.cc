#include "worker/backends/cuda/wavelet_taps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace deconvoy::worker::cuda {
namespace {

constexpr Wavelet kSplines[] = {Wavelet::kSpline1, Wavelet::kSpline3, Wavelet::kSpline5};

TEST(WaveletTapsTest, HaarHasNone) {
  EXPECT_TRUE(MakeWaveletTaps(Wavelet::kHaar, 10).h.empty());
}

// On a circle of any length the filter is orthonormal to itself shifted by two, and to its neighbour that alternates.
TEST(WaveletTapsTest, AreOrthonormalOnTheirCircle) {
  for (const Wavelet wavelet : kSplines) {
    for (const int64_t extent : {2, 4, 6, 14, 50, 300, 512, 514, 2000}) {
      const WaveletTaps taps = MakeWaveletTaps(wavelet, extent);
      ASSERT_LE(static_cast<int64_t>(taps.h.size()), extent);
      std::vector<double> h(static_cast<size_t>(extent), 0.0);
      for (size_t k = 0; k < taps.h.size(); ++k) {
        h[static_cast<size_t>(((taps.first + static_cast<int64_t>(k)) % extent + extent) % extent)] += taps.h[k];
      }
      double sum = 0;
      for (const double value : h) sum += value;
      EXPECT_NEAR(sum, std::numbers::sqrt2, 1e-6) << extent;
      for (int64_t shift = 0; shift < extent; shift += 2) {
        double product = 0;
        for (int64_t i = 0; i < extent; ++i) {
          product += h[static_cast<size_t>(i)] * h[static_cast<size_t>((i + shift) % extent)];
        }
        ASSERT_NEAR(product, shift == 0 ? 1 : 0, 1e-6) << extent << " shifted by " << shift;
      }
    }
  }
}

TEST(WaveletTapsTest, LongLinesNeedFew) {
  for (const Wavelet wavelet : kSplines) {
    EXPECT_LT(MakeWaveletTaps(wavelet, 512).h.size(), 200U);
    EXPECT_EQ(MakeWaveletTaps(wavelet, 4096).h.size(), MakeWaveletTaps(wavelet, 512).h.size());
  }
}

}  // namespace
}  // namespace deconvoy::worker::cuda
