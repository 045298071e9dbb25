#include "worker/learned/softplus.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace deconvoy::worker::learned {
namespace {

constexpr float kFarthest = 40;  // beyond it the squares of what is added would be too small for a processor to be fast

// e^-a of a in [0, 40]: 2^n e^r with |r| <= ln(2) / 2, and the series of e^r.
[[gnu::always_inline]] inline float ExpOfMinus(float a) {
  constexpr float kPerLog2 = 1.44269504F, kLog2High = 0.693359375F, kLog2Low = -2.12194440e-4F;
  constexpr float kToInteger = 12582912;  // 1.5 2^23: what is added to it is rounded
  const float shifted = kToInteger - a * kPerLog2;
  const float n = shifted - kToInteger;
  const float r = -a - n * kLog2High - n * kLog2Low;
  const float series =
      1 + r * (1 + r * (1.0F / 2 + r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720))))));
  const int32_t exponent = std::bit_cast<int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<int32_t>(series) + exponent);
}

// max(x, 0) + ln(1 + e), e = e^-|x|, by ln(1 + e) = 2 artanh(e / (2 + e)) and its series.
[[gnu::always_inline]] inline void All(const float* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; ++i) {
    const float x = from[i];
    const float e = ExpOfMinus(std::min(std::fabs(x), kFarthest));
    const float t = e / (2 + e), s = t * t;
    const float series =
        1 + s * (1.0F / 3 + s * (1.0F / 5 + s * (1.0F / 7 + s * (1.0F / 9 + s * (1.0F / 11 + s * (1.0F / 13))))));
    to[i] = std::max(x, 0.0F) + 2 * t * series;
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f,fma")]] void AllAvx512(const float* from, int64_t n, float* to) {
  All(from, n, to);
}
[[gnu::target("avx2,fma")]] void AllAvx2(const float* from, int64_t n, float* to) {
  All(from, n, to);
}
#endif
void AllAnywhere(const float* from, int64_t n, float* to) {
  All(from, n, to);
}

}  // namespace

void Softplus(const float* from, int64_t n, float* to) {
#if defined(__x86_64__)
  static const auto compute = [] {
    if (!__builtin_cpu_supports("fma")) return AllAnywhere;
    return __builtin_cpu_supports("avx512f") ? AllAvx512 : __builtin_cpu_supports("avx2") ? AllAvx2 : AllAnywhere;
  }();
#else
  static const auto compute = AllAnywhere;
#endif
  compute(from, n, to);
}

}  // namespace deconvoy::worker::learned
