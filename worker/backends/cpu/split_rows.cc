#include "worker/backends/cpu/split_rows.h"

#include <algorithm>
#include <cmath>

#include "worker/backends/cpu/element_loops.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr int64_t kChunk = 64;  // of a row, in the nearest cache
constexpr size_t kMostParts = 6;

// What an update changes at the voxels of a chunk.
struct Changes {
  float primal[kChunk], dual[kChunk], size[kChunk];
};

struct NormSums {
  Sums primal, dual, size;
  SplitNorms total() const { return {.primal = primal.total(), .dual = dual.total(), .size = size.total()}; }
};

[[gnu::always_inline]] inline void AddSquares(const float* values, int64_t n, Sums& sums) {
  SumOver(n, sums, [&](int64_t i) { return static_cast<double>(values[i]) * values[i]; });
}

[[gnu::always_inline]] inline void AddChanges(const Changes& changes, int64_t n, NormSums& sums) {
  AddSquares(changes.primal, n, sums.primal);
  AddSquares(changes.dual, n, sums.dual);
  AddSquares(changes.size, n, sums.size);
}

// The positive root s of s^2 - w s - y / rho = 0 with w = t + background - 1 / rho, less the background.
struct PoissonStep {
  float background, inverse_rho;
  [[gnu::always_inline]] float operator()(float t, float y) const {
    const float w = t + (background - inverse_rho);
    const float c = (y < 0 ? 0.0F : y) * inverse_rho;
    const float root = std::sqrt(w * w + 4 * c);
    const float s = w >= 0 ? 0.5F * (w + root) : 2 * c / (root - w);
    return s - background;
  }
};

struct GaussianStep {
  float background, pull;  // pull = 1 / (1 + rho variance)
  [[gnu::always_inline]] float operator()(float t, float y) const { return t + pull * (y - background - t); }
};

// Where |t| is at most the threshold all of t is dual, else threshold / |t| of it.
[[gnu::always_inline]] inline float DualShare(float square, float threshold) {
  const float length = std::sqrt(square);
  return length > threshold ? threshold / length : 1.0F;
}

template <typename Step>
[[gnu::always_inline]] inline SplitNorms UpdateData(const DataRow& row, const Step& step, int64_t n, float* t_row,
                                                    float* v_row) {
  NormSums sums;
  Changes changes;
  float ones[kChunk];
  std::fill_n(ones, kChunk, 1.0F);
  const float scale = row.scale, relaxation = row.relaxation, kept = row.fresh ? 0.0F : 1.0F;
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = std::min(n - first, kChunk);
    const float* m = row.mask != nullptr ? row.mask + first : ones;
    const float* y = row.y + first;
    float* t = t_row + first;
    float* v = v_row + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      const float z_before = step(t[i], y[i]), u_before = kept * (t[i] - z_before);
      const float next = relaxation * v[i] + (1 - relaxation) * z_before + u_before;
      const float z = step(next, y[i]), u = next - z;
      const bool counted = m[i] != 0;
      changes.primal[i] = counted ? v[i] - z : 0.0F;
      changes.dual[i] = counted ? z - z_before : 0.0F;
      changes.size[i] = counted ? z : 0.0F;
      t[i] = counted ? z + scale * u : t[i];
      v[i] = counted ? z - scale * u : v[i];
    }
    AddChanges(changes, count, sums);
  }
  return sums.total();
}

}  // namespace

DECONVOY_FOR_EACH_ISA SplitNorms DataSplitRow(const DataRow& row, int64_t n, float* t, float* v) {
  if (row.noise == Noise::kPoisson) {
    return UpdateData(row, PoissonStep{row.background, 1 / row.rho}, n, t, v);
  }
  return UpdateData(row, GaussianStep{row.background, 1 / (1 + row.rho * row.variance)}, n, t, v);
}

DECONVOY_FOR_EACH_ISA SplitNorms PositiveSplitRow(const float* v, float relaxation, float scale, int64_t n, float* t) {
  NormSums sums;
  Changes changes;
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = std::min(n - first, kChunk);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      const float before = t[first + i], z_before = before < 0 ? 0.0F : before, u_before = before - z_before;
      const float next = relaxation * v[first + i] + (1 - relaxation) * z_before + u_before;
      const float z = next < 0 ? 0.0F : next, u = next - z;
      changes.primal[i] = v[first + i] - z;
      changes.dual[i] = z - z_before;
      changes.size[i] = z;
      t[first + i] = z + scale * u;
    }
    AddChanges(changes, count, sums);
  }
  return sums.total();
}

DECONVOY_FOR_EACH_ISA PriorUpdate GroupSplitRow(size_t parts, const float* const* v, float threshold, float relaxation,
                                                float scale, int64_t n, float* const* t) {
  NormSums sums;
  Sums lengths;
  Changes changes;
  float next[kMostParts][kChunk], before[kChunk], after[kChunk], square[kChunk];
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = std::min(n - first, kChunk);
    std::fill_n(before, count, 0.0F);
    std::fill_n(after, count, 0.0F);
    std::fill_n(square, count, 0.0F);
    for (size_t k = 0; k < parts; ++k) {
      const float* of_t = t[k] + first;
      const float* of_v = v[k] + first;
      for (int64_t i = 0; i < count; ++i) before[i] += of_t[i] * of_t[i];
      for (int64_t i = 0; i < count; ++i) square[i] += of_v[i] * of_v[i];
    }
    for (int64_t i = 0; i < count; ++i) before[i] = DualShare(before[i], threshold);
    for (size_t k = 0; k < parts; ++k) {
      const float* of_t = t[k] + first;
      const float* of_v = v[k] + first;
      for (int64_t i = 0; i < count; ++i) {
        next[k][i] = relaxation * of_v[i] + (1 - relaxation + relaxation * before[i]) * of_t[i];
        after[i] += next[k][i] * next[k][i];
      }
    }
    for (int64_t i = 0; i < count; ++i) after[i] = DualShare(after[i], threshold);
    for (size_t k = 0; k < parts; ++k) {
      float* of_t = t[k] + first;
      const float* of_v = v[k] + first;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) {
        const float u_before = before[i] * of_t[i], u = after[i] * next[k][i], z = next[k][i] - u;
        changes.primal[i] = of_v[i] - z;
        changes.dual[i] = z - (of_t[i] - u_before);
        changes.size[i] = z;
        of_t[i] = z + scale * u;
      }
      AddChanges(changes, count, sums);
    }
    SumOver(count, lengths, [&](int64_t i) { return static_cast<double>(std::sqrt(square[i])); });
  }
  return {.norms = sums.total(), .roughness = lengths.total()};
}

namespace {

// q = (whole + share s) t, s the share of t that is dual
[[gnu::always_inline]] inline void ScaleGroup(size_t parts, const float* const* t, float threshold, float whole,
                                              float share, int64_t n, float* const* q) {
  float factor[kChunk];
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = std::min(n - first, kChunk);
    std::fill_n(factor, count, 0.0F);
    for (size_t k = 0; k < parts; ++k) {
      const float* of_t = t[k] + first;
      for (int64_t i = 0; i < count; ++i) factor[i] += of_t[i] * of_t[i];
    }
    for (int64_t i = 0; i < count; ++i) factor[i] = whole + share * DualShare(factor[i], threshold);
    for (size_t k = 0; k < parts; ++k) {
      const float* of_t = t[k] + first;
      float* of_q = q[k] + first;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) of_q[i] = factor[i] * of_t[i];
    }
  }
}

}  // namespace

DECONVOY_FOR_EACH_ISA void GroupDualRow(size_t parts, const float* const* t, float threshold, int64_t n,
                                        float* const* q) {
  ScaleGroup(parts, t, threshold, 1, -2, n, q);
}

DECONVOY_FOR_EACH_ISA void GroupProjectRow(size_t parts, const float* const* t, float threshold, int64_t n,
                                           float* const* u) {
  ScaleGroup(parts, t, threshold, 0, 1, n, u);
}

DECONVOY_FOR_EACH_ISA void CombineRows(float alpha, const float* b, float beta, int64_t n, float* a) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) a[i] = alpha * a[i] + beta * b[i];
}

DECONVOY_FOR_EACH_ISA void PositiveDualRow(const float* t, int64_t n, float* q) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) q[i] = std::abs(t[i]);
}

DECONVOY_FOR_EACH_ISA void AddScaledRow(const float* values, float factor, int64_t n, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] += factor * values[i];
}

DECONVOY_FOR_EACH_ISA void SolveComplex(const Complex* h, const float* g, float voxels, float weight, int64_t n,
                                        Complex* x_row, Complex* q_row) {
  const float* factors = reinterpret_cast<const float*>(h);
  float* x = reinterpret_cast<float*>(x_row);
  float* q = reinterpret_cast<float*>(q_row);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float a = voxels * factors[2 * i], b = voxels * factors[2 * i + 1];
    const float re = g[i] * (weight * x[2 * i] + (a * q[2 * i] + b * q[2 * i + 1]));
    const float im = g[i] * (weight * x[2 * i + 1] + (a * q[2 * i + 1] - b * q[2 * i]));
    x[2 * i] = re;
    x[2 * i + 1] = im;
    q[2 * i] = a * re - b * im;
    q[2 * i + 1] = a * im + b * re;
  }
}

DECONVOY_FOR_EACH_ISA void SolveReal(const float* h, const float* g, float voxels, float weight, int64_t n,
                                     Complex* x_row, Complex* q_row) {
  float* x = reinterpret_cast<float*>(x_row);
  float* q = reinterpret_cast<float*>(q_row);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float a = voxels * h[i];
    const float re = g[i] * (weight * x[2 * i] + a * q[2 * i]), im = g[i] * (weight * x[2 * i + 1] + a * q[2 * i + 1]);
    x[2 * i] = re;
    x[2 * i + 1] = im;
    q[2 * i] = a * re;
    q[2 * i + 1] = a * im;
  }
}

}  // namespace deconvoy::worker::cpu
