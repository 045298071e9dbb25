// The element loops of the CPU backend, each over one row. Compiled for several instruction sets; the processor's best
// is taken at run time.
#pragma once

#include <cstdint>

#include "worker/backends/cpu/fft_plans.h"

namespace deconvoy::worker::cpu {

// out = max(x + alpha (x - x_previous), floor x); a floor of -infinity: without the maximum.
void ExtrapolateRow(const float* x, const float* x_previous, float alpha, float floor, int64_t n, float* out);

// values = (y + raise) / max(values + background + raise, floor), in place.
void RatioRow(const float* y, float background, float raise, float floor, int64_t n, float* values);

// values *= factor
void MultiplyRow(const float* factor, int64_t n, float* values);

// out = max(p (v + d - w) / d, floor) with d = max(w, full_weight) where w >= weight_floor, else p. `out` may be one of
// the inputs.
void UpdateRow(const float* p, const float* v, const float* w, float weight_floor, float full_weight, float floor,
               int64_t n, float* out);

// out = max(p v / (w max(1 + strength penalty, least)), floor) where w >= weight_floor, else p. `out` may be one of the
// inputs.
struct PenaltyRow {
  const float* penalty;
  float strength;
  float least;
};
void PenalisedUpdateRow(const float* p, const float* v, const float* w, const PenaltyRow& penalty, float weight_floor,
                        float floor, int64_t n, float* out);

// g = d / max(|d|, floor), with d the differences from p to the next plane, the next row and the next voxel, times a
// factor each. The rows have n values, p one more.
struct DifferenceRow {
  float z, y, x;
};
void DirectionRow(const float* p, const float* next_plane, const float* next_row, const DifferenceRow& factors,
                  float floor, int64_t n, float* gz, float* gy, float* gx);

// out = factors . (what the row before along each axis has - what this one has); gx_before[i] is gx[i - 1].
void DivergenceRow(const float* gz_before, const float* gz, const float* gy_before, const float* gy,
                   const float* gx_before, const float* gx, const DifferenceRow& factors, int64_t n, float* out);

// out = sqrt(max(p, floor)). `out` may be `p`.
void RootRow(const float* p, float floor, int64_t n, float* out);

// out = 4 / u times the sum over axes of squared factors (2 u - before - next). u has a value before and one after its
// n.
void RoughnessRow(const float* u, const float* plane_before, const float* plane_next, const float* row_before,
                  const float* row_next, const DifferenceRow& factors, int64_t n, float* out);

// values = sign(values) max(|values| - threshold, 0), in place; returns the sum of their magnitudes.
double ShrinkRow(float threshold, int64_t n, float* values);

// values = y - (values + background), in place.
void ResidualRow(const float* y, float background, int64_t n, float* values);

// Sum of m v^2; no mask: 1. The sum's order is the same on every processor.
double SquaresOfRow(const float* v, const float* mask, int64_t n);

// out = min(max(p + step v + scale addend + offset, floor), ceiling); addend null: 0. `out` may be one of the inputs.
struct StepRow {
  float step;
  const float* addend;
  float scale;
  float offset;
  float floor;
  float ceiling;
};
void AddStep(const float* p, const float* v, const StepRow& step, int64_t n, float* out);

// Sum of m (y - (v + background))^2; v null: 0, no mask: 1. The sum's order is the same on every processor.
double MisfitOfRow(const float* v, const float* y, const float* mask, float background, int64_t n);

// Sum of (step v + scale addend)^2. The sum's order is the same on every processor.
double SquaresOfStep(const float* v, const StepRow& step, int64_t n);

// Sum of a b. The sum's order is the same on every processor.
double DotOfRow(const float* a, const float* b, int64_t n);

// out = scale (a - a_offset) (b - b_offset)
void OffsetProductRow(const float* a, float a_offset, const float* b, float b_offset, float scale, int64_t n,
                      float* out);

// out = v / w where w >= weight_floor, else `otherwise`.
void DivideRow(const float* v, const float* w, float weight_floor, float otherwise, int64_t n, float* out);

// x = max(x (first + second) / 2, 0), but where v < 0 it stays.
void ConsensusRow(const float* v, const float* first, const float* second, int64_t n, float* x);

// out = max(a b, floor). `out` may be one of the inputs.
void ProductRow(const float* a, const float* b, float floor, int64_t n, float* out);

// out = max(v + offset, floor)
void ShiftRow(const float* v, float offset, float floor, int64_t n, float* out);

// Sums over a row: of the new change times the old, and of the old one's squares.
struct RowProducts {
  double new_old = 0;
  double old_old = 0;
};

// Replaces change by out - p. The sums' order is the same on every processor.
RowProducts ChangeRow(const float* out, const float* p, int64_t n, float* change);

// Sum of mask * ((v + background) - y + y ln(y / (v + background))), v + background floored; no mask: 1.
double DivergenceOfRow(const float* v, const float* y, const float* mask, float background, float floor, int64_t n);

// values *= factors, or their conjugates.
void MultiplyComplex(const Complex* factors, bool conjugate, int64_t n, Complex* values);

// values *= factors
void MultiplyReal(const float* factors, int64_t n, Complex* values);

// out = scale * the real parts of values
void ScaleReal(const Complex* values, float scale, int64_t n, float* out);

// out = scale * values
void ScaleComplex(const Complex* values, float scale, int64_t n, Complex* out);

// out = scale * values * gain / (|unit * values|^2 + alpha + penalty); gain null: 1, penalty null: 0. `out` may be
// `values`.
struct FilterRow {
  const float* gain;
  const float* penalty;
  float unit;
  float alpha;
  float scale;
};
void FilterComplex(const Complex* values, const FilterRow& filter, int64_t n, Complex* out);

// The same for real values.
void FilterReal(const float* values, const FilterRow& filter, int64_t n, float* out);

// to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < columns. The first goes through `from` row by
// row, for many short ones; the second through `to`, for few long ones.
void TransposeRows(const Complex* from, int64_t from_stride, int64_t rows, int64_t columns, Complex* to,
                   int64_t to_stride);
void TransposeColumns(const Complex* from, int64_t from_stride, int64_t rows, int64_t columns, Complex* to,
                      int64_t to_stride);

// Between the transform Z of h = n/2 complex numbers x[2j] + i x[2j+1] and the half spectrum X of the n reals x:
//   X[k] = E + O / (2 i) exp(-2 pi i k / n),  2 E = Z[k] + conj Z[h-k],  O = Z[k] - conj Z[h-k],  Z[h] = Z[0]
// and back, times 2, so that the inverse transform of h numbers gives n times x. `turns` are exp(-2 pi i k / n) / (2 i)
// for k <= h/2; X has h + 1 numbers, Z has h. Press et al., Numerical Recipes, 12.3.
void HalfToReal(const Complex* half, const Complex* turns, int64_t h, Complex* spectrum);
void RealToHalf(const Complex* spectrum, const Complex* turns, int64_t h, Complex* half);

// out = unit * |values|
void MagnitudeReal(const float* values, float unit, int64_t n, float* out);
void MagnitudeComplex(const Complex* values, float unit, int64_t n, float* out);

}  // namespace deconvoy::worker::cpu
