#include "worker/backends/cpu/pointwise.h"

#include <cmath>

// One function body, compiled once per instruction set. The sanitizers' start-up does not bear the choice at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define DECONVOY_FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DECONVOY_FOR_EACH_ISA
#endif

namespace deconvoy::worker::cpu {

// Maxima are written so that a NaN stays a NaN.

DECONVOY_FOR_EACH_ISA void ExtrapolateRow(const float* __restrict x, const float* __restrict x_previous, float alpha,
                                          float floor, int64_t n, float* __restrict out) {
  for (int64_t i = 0; i < n; ++i) {
    const float step = x[i] + alpha * (x[i] - x_previous[i]);
    const float least = floor * x[i];
    out[i] = step < least ? least : step;
  }
}

DECONVOY_FOR_EACH_ISA void RatioRow(const float* __restrict y, float background, float raise, float floor, int64_t n,
                                    float* __restrict values) {
  for (int64_t i = 0; i < n; ++i) {
    const float blurred = values[i] + (background + raise);
    values[i] = (y[i] + raise) / (blurred < floor ? floor : blurred);
  }
}

DECONVOY_FOR_EACH_ISA void MultiplyRow(const float* __restrict factor, int64_t n, float* __restrict values) {
  for (int64_t i = 0; i < n; ++i) values[i] *= factor[i];
}

DECONVOY_FOR_EACH_ISA void UpdateRow(const float* p, const float* v, const float* w, float weight_floor,
                                     float full_weight, float floor, int64_t n, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float d = w[i] < full_weight ? full_weight : w[i];
    const float value = p[i] * (v[i] + (d - w[i])) / d;
    const float updated = value < floor ? floor : value;
    out[i] = w[i] >= weight_floor ? updated : p[i];
  }
}

DECONVOY_FOR_EACH_ISA void ProductRow(const float* a, const float* b, float floor, int64_t n, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float value = a[i] * b[i];
    out[i] = value < floor ? floor : value;
  }
}

DECONVOY_FOR_EACH_ISA void ShiftRow(const float* __restrict v, float offset, float floor, int64_t n,
                                    float* __restrict out) {
  for (int64_t i = 0; i < n; ++i) {
    const float value = v[i] + offset;
    out[i] = value < floor ? floor : value;
  }
}

DECONVOY_FOR_EACH_ISA RowProducts ChangeRow(const float* __restrict out, const float* __restrict p, int64_t n,
                                            float* __restrict change) {
  constexpr int64_t kLanes = 16;  // independent sums, so that the loop can be done in vectors
  double new_old[kLanes] = {}, old_old[kLanes] = {};
  const auto add = [&](int64_t i, int64_t lane) {
    const double old = change[i];
    const float current = out[i] - p[i];
    new_old[lane] += static_cast<double>(current) * old;
    old_old[lane] += old * old;
    change[i] = current;
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
  for (int64_t lane = 0; i < n; ++i, ++lane) add(i, lane);
  RowProducts sums;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    sums.new_old += new_old[lane];
    sums.old_old += old_old[lane];
  }
  return sums;
}

double DivergenceOfRow(const float* v, const float* y, const float* mask, float background, float floor, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (mask != nullptr && mask[i] == 0) continue;
    const double model = v[i] + background < floor ? floor : v[i] + background;
    const double measured = y[i];
    const double term = model - measured + (measured > 0 ? measured * std::log(measured / model) : 0);
    sum += mask != nullptr ? mask[i] * term : term;
  }
  return sum;
}

DECONVOY_FOR_EACH_ISA void MultiplyComplex(const Complex* factors, bool conjugate, int64_t n, Complex* values) {
  const float* __restrict f = reinterpret_cast<const float*>(factors);
  float* __restrict v = reinterpret_cast<float*>(values);
  const float sign = conjugate ? -1.0F : 1.0F;
  for (int64_t i = 0; i < 2 * n; i += 2) {
    const float re = v[i], im = v[i + 1];
    const float a = f[i], b = sign * f[i + 1];
    v[i] = re * a - im * b;
    v[i + 1] = re * b + im * a;
  }
}

DECONVOY_FOR_EACH_ISA void MultiplyReal(const float* __restrict factors, int64_t n, Complex* values) {
  float* __restrict v = reinterpret_cast<float*>(values);
  for (int64_t i = 0; i < n; ++i) {
    v[2 * i] *= factors[i];
    v[2 * i + 1] *= factors[i];
  }
}

DECONVOY_FOR_EACH_ISA void ScaleReal(const Complex* __restrict values, float scale, int64_t n, float* __restrict out) {
  const float* __restrict v = reinterpret_cast<const float*>(values);
  for (int64_t i = 0; i < n; ++i) out[i] = scale * v[2 * i];
}

DECONVOY_FOR_EACH_ISA void ScaleComplex(const Complex* values, float scale, int64_t n, Complex* out) {
  const float* __restrict v = reinterpret_cast<const float*>(values);
  float* __restrict o = reinterpret_cast<float*>(out);
  for (int64_t i = 0; i < 2 * n; ++i) o[i] = scale * v[i];
}

void FilterComplex(const Complex* values, const float* gain, const SpectralFilter& filter, int64_t n, Complex* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float power = std::norm(filter.unit * values[i]) + filter.alpha;
    out[i] = (filter.scale * (gain != nullptr ? gain[i] : 1.0F) / power) * values[i];
  }
}

void FilterReal(const float* values, const float* gain, const SpectralFilter& filter, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float amplitude = filter.unit * values[i];
    const float power = amplitude * amplitude + filter.alpha;
    out[i] = (filter.scale * (gain != nullptr ? gain[i] : 1.0F) / power) * values[i];
  }
}

void MagnitudeReal(const float* values, float unit, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::abs(unit * values[i]);
}

void MagnitudeComplex(const Complex* values, float unit, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::sqrt(std::norm(unit * values[i]));
}

}  // namespace deconvoy::worker::cpu
