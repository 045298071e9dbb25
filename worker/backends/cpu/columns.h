// Moving bundles of columns between strided memory and a small dense block.
#pragma once

#include <cstdint>
#include <span>

#include "worker/backends/cpu/fft_plans.h"

namespace deconvoy::worker::cpu {

// block[i * width + j] = source[i * stride + j] for each i in `indices`, j < columns; the rest of the block becomes
// zero in the `extent` rows. REQUIRES: columns <= width, indices ascending and below extent.
void GatherColumns(const Complex* source, int64_t stride, std::span<const int64_t> indices, int64_t extent,
                   int64_t width, int64_t columns, Complex* block);

// Asks for the memory that GatherColumns would read and ScatterColumns write, so that it arrives meanwhile.
void PrefetchColumns(const Complex* source, int64_t stride, std::span<const int64_t> indices, int64_t width);

// target[i * stride + j] = block[i * width + j] for each i in `indices`, j < columns.
void ScatterColumns(const Complex* block, int64_t width, int64_t columns, std::span<const int64_t> indices,
                    int64_t stride, Complex* target);

}  // namespace deconvoy::worker::cpu
