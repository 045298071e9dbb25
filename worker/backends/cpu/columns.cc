#include "worker/backends/cpu/columns.h"

#include <algorithm>

#include "worker/backends/cpu/pointwise.h"

namespace deconvoy::worker::cpu {

Runs RunsOf(std::span<const int64_t> positions) {
  Runs runs;
  for (const int64_t i : positions) {
    if (!runs.empty() && runs.back().end == i) {
      ++runs.back().end;
    } else {
      runs.push_back({i, i + 1});
    }
  }
  return runs;
}

void GatherColumns(const Complex* source, int64_t stride, std::span<const Run> runs, int64_t extent, int64_t columns,
                   int64_t pitch, Complex* lines) {
  const auto clear = [&](int64_t begin, int64_t end) {
    for (int64_t j = 0; begin < end && j < columns; ++j) {
      std::fill(lines + j * pitch + begin, lines + j * pitch + end, Complex{});
    }
  };
  int64_t done = 0;
  for (const Run& run : runs) {
    clear(done, run.begin);
    TransposeRows(source + run.begin * stride, stride, run.end - run.begin, columns, lines + run.begin, pitch);
    done = run.end;
  }
  clear(done, extent);
}

void PrefetchColumns(const Complex* source, int64_t stride, std::span<const Run> runs, int64_t columns) {
  constexpr int64_t kLine = 8;
  for (const Run& run : runs) {
    for (int64_t i = run.begin; i < run.end; ++i) {
      for (int64_t j = 0; j < columns; j += kLine) {
        __builtin_prefetch(source + i * stride + j, /*rw=*/1, /*locality=*/2);
      }
    }
  }
}

void ScatterColumns(const Complex* lines, int64_t pitch, std::span<const Run> runs, int64_t columns, int64_t stride,
                    Complex* target) {
  for (const Run& run : runs) {
    TransposeColumns(lines + run.begin, pitch, columns, run.end - run.begin, target + run.begin * stride, stride);
  }
}

}  // namespace deconvoy::worker::cpu
