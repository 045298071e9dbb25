// Moving columns between planes or rows, where they are strided, and lines, where each is contiguous.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/backends/cpu/fft_plans.h"

namespace deconvoy::worker::cpu {

// Positions [begin, end) of a column.
struct Run {
  int64_t begin;
  int64_t end;
};
using Runs = std::vector<Run>;

// The runs that positions in ascending order are made of.
Runs RunsOf(std::span<const int64_t> positions);

// lines[j * pitch + i] = source[i * stride + j] for each i in `runs`, j < columns; 0 for the other i < extent.
// REQUIRES: runs ascending and below extent, extent <= pitch.
void GatherColumns(const Complex* source, int64_t stride, std::span<const Run> runs, int64_t extent, int64_t columns,
                   int64_t pitch, Complex* lines);

// Asks for the memory that GatherColumns would read, so that it arrives meanwhile.
void PrefetchColumns(const Complex* source, int64_t stride, std::span<const Run> runs, int64_t columns);

// target[i * stride + j] = lines[j * pitch + i] for each i in `runs`, j < columns.
void ScatterColumns(const Complex* lines, int64_t pitch, std::span<const Run> runs, int64_t columns, int64_t stride,
                    Complex* target);

}  // namespace deconvoy::worker::cpu
