// The element loops of the CPU backend, each over one row. Compiled for several instruction sets; the processor's best
// is taken at run time.
#pragma once

#include <cstdint>

#include "worker/backends/cpu/fft_plans.h"

namespace deconvoy::worker::cpu {

// out = max(x + alpha (x - x_previous), floor x)
void ExtrapolateRow(const float* x, const float* x_previous, float alpha, float floor, int64_t n, float* out);

// values = y / max(values + background, floor), in place.
void RatioRow(const float* y, float background, float floor, int64_t n, float* values);

// values *= factor
void MultiplyRow(const float* factor, int64_t n, float* values);

// out = p v / w where w >= weight_floor, else p. `out` may be one of the inputs.
void UpdateRow(const float* p, const float* v, const float* w, float weight_floor, int64_t n, float* out);

// out = a b. `out` may be one of the inputs.
void ProductRow(const float* a, const float* b, int64_t n, float* out);

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

}  // namespace deconvoy::worker::cpu
