// The element loops of splittings (worker/ops/backend.h), each over one row. Compiled for several instruction sets; the
// processor's best is taken at run time. Sums have the same order on every processor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "worker/backends/cpu/fft_plans.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// A row of a DataSplit.
struct DataRow {
  const float* y;
  const float* mask;  // null: 1
  float background;
  Noise noise;
  float variance;
  float rho;
  float scale;
  float relaxation;
  bool fresh;
};

// Updates t and replaces v by z1' - u1', where the mask is not 0.
SplitNorms DataSplitRow(const DataRow& row, int64_t n, float* t, float* v);

// Updates t, with P(t) = max(t, 0).
SplitNorms PositiveSplitRow(const float* v, float relaxation, float scale, int64_t n, float* t);

// Updates t of all parts, with P(t) = t max(1 - threshold/|t|, 0).
PriorUpdate GroupSplitRow(size_t parts, const float* const* v, float threshold, float relaxation, float scale,
                          int64_t n, float* const* t);

// q = z - u of the same, and of P(t) = max(t, 0).
void GroupDualRow(size_t parts, const float* const* t, float threshold, int64_t n, float* const* q);
void PositiveDualRow(const float* t, int64_t n, float* q);

// u = threshold / |t| t where |t| is above the threshold, else t.
void GroupProjectRow(size_t parts, const float* const* t, float threshold, int64_t n, float* const* u);

// a = alpha a + beta b
void CombineRows(float alpha, const float* b, float beta, int64_t n, float* a);

// out += factor values
void AddScaledRow(const float* values, float factor, int64_t n, float* out);

// x <- g (weight x + voxels conj h q),  q <- voxels h x.
void SolveComplex(const Complex* h, const float* g, float voxels, float weight, int64_t n, Complex* x, Complex* q);
void SolveReal(const float* h, const float* g, float voxels, float weight, int64_t n, Complex* x, Complex* q);

}  // namespace deconvoy::worker::cpu
