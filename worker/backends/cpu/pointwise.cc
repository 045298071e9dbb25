#include "worker/backends/cpu/pointwise.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "worker/backends/cpu/element_loops.h"

namespace deconvoy::worker::cpu {
namespace {

// Four complex numbers, as bits and as floats.
constexpr int64_t kFour = 4;
using Bits [[gnu::vector_size(32)]] = int64_t;
using Floats [[gnu::vector_size(32)]] = float;

template <typename Vector>
[[gnu::always_inline]] inline void Load(const Complex* from, Vector& out) {
  std::memcpy(&out, from, sizeof out);
}
template <typename Vector>
[[gnu::always_inline]] inline void Put(const Vector& in, Complex* to) {
  std::memcpy(static_cast<void*>(to), &in, sizeof in);
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < kFour.
[[gnu::always_inline]] inline void TransposeBlock(const Complex* from, int64_t from_stride, Complex* to,
                                                  int64_t to_stride) {
  Bits a, b, c, d;
  Load(from, a);
  Load(from + from_stride, b);
  Load(from + 2 * from_stride, c);
  Load(from + 3 * from_stride, d);
  const Bits ab_even = __builtin_shufflevector(a, b, 0, 4, 2, 6), ab_odd = __builtin_shufflevector(a, b, 1, 5, 3, 7);
  const Bits cd_even = __builtin_shufflevector(c, d, 0, 4, 2, 6), cd_odd = __builtin_shufflevector(c, d, 1, 5, 3, 7);
  a = __builtin_shufflevector(ab_even, cd_even, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_odd, cd_odd, 0, 1, 4, 5);
  c = __builtin_shufflevector(ab_even, cd_even, 2, 3, 6, 7);
  d = __builtin_shufflevector(ab_odd, cd_odd, 2, 3, 6, 7);
  Put(a, to);
  Put(b, to + to_stride);
  Put(c, to + 2 * to_stride);
  Put(d, to + 3 * to_stride);
}

constexpr int64_t WholeFours(int64_t n) {
  return n / kFour * kFour;
}

// Likewise for what does not belong to a whole block.
[[gnu::always_inline]] inline void TransposeEdges(const Complex* from, int64_t from_stride, int64_t rows,
                                                  int64_t columns, Complex* to, int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < WholeFours(rows) ? WholeFours(columns) : 0; j < columns; ++j) {
      to[j * to_stride + i] = from[i * from_stride + j];
    }
  }
}

// The four numbers that end at k, the last one first.
[[gnu::always_inline]] inline void LoadDown(const Complex* values, int64_t k, Floats& out) {
  Load(values + k - (kFour - 1), out);
  out = __builtin_shufflevector(out, out, 6, 7, 4, 5, 2, 3, 0, 1);
}
[[gnu::always_inline]] inline void PutDown(const Floats& in, int64_t k, Complex* values) {
  Put(__builtin_shufflevector(in, in, 6, 7, 4, 5, 2, 3, 0, 1), values + k - (kFour - 1));
}

constexpr Floats kConjugate = {1, -1, 1, -1, 1, -1, 1, -1};

// a b
[[gnu::always_inline]] inline void Multiply(const Floats& a, const Floats& b, Floats& out) {
  const Floats re = __builtin_shufflevector(a, a, 0, 0, 2, 2, 4, 4, 6, 6);
  const Floats im = __builtin_shufflevector(a, a, 1, 1, 3, 3, 5, 5, 7, 7);
  const Floats swapped = __builtin_shufflevector(b, b, 1, 0, 3, 2, 5, 4, 7, 6);
  out = re * b - kConjugate * im * swapped;
}

// ln v to 1e-12, for v > 0 and normal, in steps that become vector instructions: v = 2^e m with m in [sqrt(1/2),
// sqrt(2)), ln m = 2 artanh s, s = (m - 1)/(m + 1).
[[gnu::always_inline]] inline double Logarithm(double v) {
  constexpr uint64_t kOne = 0x3FF0000000000000, kRootHalf = 0x3FE6A09E667F3BCD;  // the bits of 1 and sqrt(1/2)
  constexpr uint64_t kInteger = 0x4330000000000000;                              // those of 2^52
  constexpr double kBias = 0x1p52 + 1023;
  const auto bits = std::bit_cast<uint64_t>(v);
  const uint64_t exponent = (bits + (kOne - kRootHalf)) >> 52;
  const double e = std::bit_cast<double>(exponent | kInteger) - kBias;
  const double m = std::bit_cast<double>(bits - (exponent << 52) + kOne);
  const double s = (m - 1) / (m + 1), t = s * s;
  const double series =
      1 + t * (1.0 / 3 + t * (1.0 / 5 + t * (1.0 / 7 + t * (1.0 / 9 + t * (1.0 / 11 + t * (1.0 / 13))))));
  return e * std::numbers::ln2 + 2 * s * series;
}

}  // namespace

// Maxima are written so that a NaN stays a NaN.

DECONVOY_FOR_EACH_ISA void ExtrapolateRow(const float* __restrict x, const float* __restrict x_previous, float alpha,
                                          float floor, int64_t n, float* __restrict out) {
  if (std::isinf(floor)) {
    for (int64_t i = 0; i < n; ++i) out[i] = x[i] + alpha * (x[i] - x_previous[i]);
    return;
  }
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

DECONVOY_FOR_EACH_ISA void PenalisedUpdateRow(const float* p, const float* v, const float* w, const PenaltyRow& penalty,
                                              float weight_floor, float floor, int64_t n, float* out) {
  const PenaltyRow r = penalty;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float raised = 1 + r.strength * r.penalty[i];
    const float value = p[i] * v[i] / (w[i] * (raised < r.least ? r.least : raised));
    const float updated = value < floor ? floor : value;
    out[i] = w[i] >= weight_floor ? updated : p[i];
  }
}

DECONVOY_FOR_EACH_ISA void DirectionRow(const float* __restrict p, const float* __restrict next_plane,
                                        const float* __restrict next_row, const DifferenceRow& factors, float floor,
                                        int64_t n, float* __restrict gz, float* __restrict gy, float* __restrict gx) {
  const DifferenceRow f = factors;
  for (int64_t i = 0; i < n; ++i) {
    const float dz = f.z * (next_plane[i] - p[i]), dy = f.y * (next_row[i] - p[i]), dx = f.x * (p[i + 1] - p[i]);
    const float length = std::sqrt(dz * dz + dy * dy + dx * dx);
    const float inverse = 1 / (length < floor ? floor : length);
    gz[i] = dz * inverse;
    gy[i] = dy * inverse;
    gx[i] = dx * inverse;
  }
}

DECONVOY_FOR_EACH_ISA void DivergenceRow(const float* gz_before, const float* gz, const float* gy_before,
                                         const float* gy, const float* gx_before, const float* gx,
                                         const DifferenceRow& factors, int64_t n, float* __restrict out) {
  const DifferenceRow f = factors;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = f.z * (gz_before[i] - gz[i]) + f.y * (gy_before[i] - gy[i]) + f.x * (gx_before[i] - gx[i]);
  }
}

DECONVOY_FOR_EACH_ISA void RootRow(const float* p, float floor, int64_t n, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = std::sqrt(p[i] < floor ? floor : p[i]);
}

DECONVOY_FOR_EACH_ISA void RoughnessRow(const float* u, const float* plane_before, const float* plane_next,
                                        const float* row_before, const float* row_next, const DifferenceRow& factors,
                                        int64_t n, float* __restrict out) {
  const float z = 4 * factors.z * factors.z, y = 4 * factors.y * factors.y, x = 4 * factors.x * factors.x;
  for (int64_t i = 0; i < n; ++i) {
    const float twice = 2 * u[i];
    out[i] = (z * (twice - plane_before[i] - plane_next[i]) + y * (twice - row_before[i] - row_next[i]) +
              x * (twice - u[i - 1] - u[i + 1])) /
             u[i];
  }
}

DECONVOY_FOR_EACH_ISA double ShrinkRow(float threshold, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = values[i];
    values[i] = v > threshold ? v - threshold : v < -threshold ? v + threshold : 0.0F;
  }
  Sums sums;
  SumOver(n, sums, [&](int64_t i) { return static_cast<double>(std::abs(values[i])); });
  return sums.total();
}

DECONVOY_FOR_EACH_ISA void ResidualRow(const float* __restrict y, float background, int64_t n,
                                       float* __restrict values) {
  for (int64_t i = 0; i < n; ++i) values[i] = y[i] - (values[i] + background);
}

DECONVOY_FOR_EACH_ISA double SquaresOfRow(const float* __restrict v, const float* __restrict mask, int64_t n) {
  Sums sums;
  SumOver(n, sums, [&](int64_t i) {
    const double square = static_cast<double>(v[i]) * v[i];
    return mask != nullptr ? mask[i] * square : square;
  });
  return sums.total();
}

DECONVOY_FOR_EACH_ISA double MisfitOfRow(const float* __restrict v, const float* __restrict y,
                                         const float* __restrict mask, float background, int64_t n) {
  Sums sums;
  SumOver(n, sums, [&](int64_t i) {
    const float residual = y[i] - ((v != nullptr ? v[i] : 0.0F) + background);
    const double square = static_cast<double>(residual) * residual;
    return mask == nullptr ? square : mask[i] == 0 ? 0.0 : mask[i] * square;
  });
  return sums.total();
}

DECONVOY_FOR_EACH_ISA double DotOfRow(const float* __restrict a, const float* __restrict b, int64_t n) {
  Sums sums;
  SumOver(n, sums, [&](int64_t i) { return static_cast<double>(a[i]) * b[i]; });
  return sums.total();
}

DECONVOY_FOR_EACH_ISA void AddStep(const float* p, const float* v, const StepRow& step, int64_t n, float* out) {
  const StepRow s = step;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float sum = p[i] + s.step * v[i] + (s.addend != nullptr ? s.scale * s.addend[i] : 0.0F) + s.offset;
    const float raised = sum < s.floor ? s.floor : sum;
    out[i] = raised > s.ceiling ? s.ceiling : raised;
  }
}

DECONVOY_FOR_EACH_ISA double SquaresOfStep(const float* v, const StepRow& step, int64_t n) {
  const StepRow s = step;
  Sums sums;
  SumOver(n, sums, [&](int64_t i) {
    const double d = s.step * v[i] + (s.addend != nullptr ? s.scale * s.addend[i] : 0.0F);
    return d * d;
  });
  return sums.total();
}

DECONVOY_FOR_EACH_ISA void OffsetProductRow(const float* __restrict a, float a_offset, const float* __restrict b,
                                            float b_offset, float scale, int64_t n, float* __restrict out) {
  for (int64_t i = 0; i < n; ++i) out[i] = scale * (a[i] - a_offset) * (b[i] - b_offset);
}

DECONVOY_FOR_EACH_ISA void DivideRow(const float* __restrict v, const float* __restrict w, float weight_floor,
                                     float otherwise, int64_t n, float* __restrict out) {
  for (int64_t i = 0; i < n; ++i) {
    const float quotient = v[i] / w[i];
    out[i] = w[i] >= weight_floor ? quotient : otherwise;
  }
}

DECONVOY_FOR_EACH_ISA void ConsensusRow(const float* __restrict v, const float* __restrict first,
                                        const float* __restrict second, int64_t n, float* __restrict x) {
  for (int64_t i = 0; i < n; ++i) {
    const float step = x[i] * (0.5F * (first[i] + second[i])), updated = step < 0 ? 0.0F : step;
    x[i] = v[i] < 0 ? x[i] : updated;
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
  Sums new_old, old_old;
  SumOver(n, new_old, [&](int64_t i) { return static_cast<double>(out[i] - p[i]) * change[i]; });
  SumOver(n, old_old, [&](int64_t i) { return static_cast<double>(change[i]) * change[i]; });
  for (int64_t i = 0; i < n; ++i) change[i] = out[i] - p[i];
  return {.new_old = new_old.total(), .old_old = old_old.total()};
}

DECONVOY_FOR_EACH_ISA double DivergenceOfRow(const float* __restrict v, const float* __restrict y,
                                             const float* __restrict mask, float background, float floor, int64_t n) {
  constexpr int64_t kTerms = 64;
  double terms[kTerms];
  Sums sums;
  for (int64_t first = 0; first < n; first += kTerms) {
    const int64_t count = n - first < kTerms ? n - first : kTerms;
    for (int64_t i = 0; i < count; ++i) {
      const float blurred = v[first + i] + background;
      const double model = blurred < floor ? floor : blurred, measured = y[first + i];
      const double ratio = (measured > 0 ? measured : model) / model;
      terms[i] = model - measured + measured * Logarithm(ratio);
    }
    if (mask != nullptr) {
      for (int64_t i = 0; i < count; ++i) {
        const double weighted = mask[first + i] * terms[i];
        terms[i] = mask[first + i] == 0 ? 0.0 : weighted;
      }
    }
    SumOver(count, sums, [&](int64_t i) { return terms[i]; });
  }
  return sums.total();
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

DECONVOY_FOR_EACH_ISA void TransposeRows(const Complex* from, int64_t from_stride, int64_t rows, int64_t columns,
                                         Complex* to, int64_t to_stride) {
  for (int64_t i = 0; i < WholeFours(rows); i += kFour) {
    for (int64_t j = 0; j < WholeFours(columns); j += kFour) {
      TransposeBlock(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    }
  }
  TransposeEdges(from, from_stride, rows, columns, to, to_stride);
}

DECONVOY_FOR_EACH_ISA void TransposeColumns(const Complex* from, int64_t from_stride, int64_t rows, int64_t columns,
                                            Complex* to, int64_t to_stride) {
  for (int64_t j = 0; j < WholeFours(columns); j += kFour) {
    for (int64_t i = 0; i < WholeFours(rows); i += kFour) {
      TransposeBlock(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    }
  }
  TransposeEdges(from, from_stride, rows, columns, to, to_stride);
}

DECONVOY_FOR_EACH_ISA void HalfToReal(const Complex* half, const Complex* turns, int64_t h, Complex* spectrum) {
  const Complex zero = half[0];
  spectrum[0] = {zero.real() + zero.imag(), 0};
  spectrum[h] = {zero.real() - zero.imag(), 0};
  int64_t k = 1;
  for (; k + kFour <= h / 2 + 1; k += kFour) {
    Floats a, b, turn, turned;
    Load(half + k, a);
    LoadDown(half, h - k, b);
    Load(turns + k, turn);
    b *= kConjugate;
    Multiply(turn, a - b, turned);
    const Floats even = 0.5F * (a + b);
    Put(even + turned, spectrum + k);
    PutDown(kConjugate * (even - turned), h - k, spectrum);
  }
  for (; k <= h / 2; ++k) {
    const Complex a = half[k], b = std::conj(half[h - k]);
    const Complex even = 0.5F * (a + b), turned = turns[k] * (a - b);
    spectrum[k] = even + turned;
    spectrum[h - k] = std::conj(even - turned);
  }
}

DECONVOY_FOR_EACH_ISA void RealToHalf(const Complex* spectrum, const Complex* turns, int64_t h, Complex* half) {
  const float first = spectrum[0].real(), last = spectrum[h].real();
  half[0] = {first + last, first - last};
  int64_t k = 1;
  for (; k + kFour <= h / 2 + 1; k += kFour) {
    Floats a, b, turn, odd;
    Load(spectrum + k, a);
    LoadDown(spectrum, h - k, b);
    Load(turns + k, turn);
    b *= kConjugate;
    Multiply(2 * kConjugate * turn, a - b, odd);
    const Floats even = a + b;
    Put(even + odd, half + k);
    PutDown(kConjugate * (even - odd), h - k, half);
  }
  for (; k <= h / 2; ++k) {
    const Complex a = spectrum[k], b = std::conj(spectrum[h - k]);
    const Complex even = a + b, odd = std::conj(2.0F * turns[k]) * (a - b);
    half[k] = even + odd;
    half[h - k] = std::conj(even - odd);
  }
}

namespace {

// The factor of a value of this squared magnitude.
float FactorOf(const FilterRow& filter, float power, int64_t i) {
  const float denominator = power + filter.alpha + (filter.penalty != nullptr ? filter.penalty[i] : 0.0F);
  return filter.scale * (filter.gain != nullptr ? filter.gain[i] : 1.0F) / denominator;
}

}  // namespace

void FilterComplex(const Complex* values, const FilterRow& filter, int64_t n, Complex* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = FactorOf(filter, std::norm(filter.unit * values[i]), i) * values[i];
}

void FilterReal(const float* values, const FilterRow& filter, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float amplitude = filter.unit * values[i];
    out[i] = FactorOf(filter, amplitude * amplitude, i) * values[i];
  }
}

void MagnitudeReal(const float* values, float unit, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::abs(unit * values[i]);
}

void MagnitudeComplex(const Complex* values, float unit, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = std::sqrt(std::norm(unit * values[i]));
}

}  // namespace deconvoy::worker::cpu
