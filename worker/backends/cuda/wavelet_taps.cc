#include "worker/backends/cuda/wavelet_taps.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "worker/ops/scaling_filter.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr double kNegligible = 1e-9;  // of the sum of all magnitudes, on both sides together

// The filters fall off by a third and more with every number or two; on a circle as long as this they do not meet
// themselves.
constexpr int64_t kLongest = 512;

}  // namespace

WaveletTaps MakeWaveletTaps(Wavelet wavelet, int64_t extent) {
  if (wavelet == Wavelet::kHaar) return {};
  const int degree = wavelet == Wavelet::kSpline1 ? 1 : wavelet == Wavelet::kSpline3 ? 3 : 5;
  const int64_t m = std::min(extent, kLongest), half = m / 2;
  std::vector<double> filter;  // H at its frequencies
  for (int64_t k = 0; k < m; ++k) {
    filter.push_back(ScalingFilter(degree, 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(m)));
  }
  std::vector<double> h;  // of 0 to half: it is even
  double all = 0;
  for (int64_t j = 0; j <= half; ++j) {
    double sum = 0;
    for (int64_t k = 0; k < m; ++k) {
      const double turns = static_cast<double>(j * k % m) / static_cast<double>(m);
      sum += filter[static_cast<size_t>(k)] * std::cos(2 * std::numbers::pi * turns);
    }
    h.push_back(sum / static_cast<double>(m));
    all += 2 * std::abs(h.back());
  }
  int64_t last = half;
  for (double rest = 0; last > 0; --last) {
    rest += 2 * std::abs(h[static_cast<size_t>(last)]);
    if (rest > kNegligible * all) break;
  }
  // -half is half on a circle of m.
  const bool whole = last == half;
  WaveletTaps taps{.first = whole ? 1 - half : -last, .h = {}};
  for (int64_t j = taps.first; j <= last; ++j) {
    taps.h.push_back(static_cast<float>(h[static_cast<size_t>(std::abs(j))]));
  }
  return taps;
}

}  // namespace deconvoy::worker::cuda
