#include "worker/backends/cpu/columns.h"

#include <algorithm>
#include <cstring>

namespace deconvoy::worker::cpu {
namespace {

// Copies of a size known to the compiler are a few vector moves.
template <int64_t kWidth>
void GatherFull(const Complex* source, int64_t stride, std::span<const int64_t> indices, Complex* block) {
  for (const int64_t i : indices) std::memcpy(block + i * kWidth, source + i * stride, kWidth * sizeof(Complex));
}

template <int64_t kWidth>
void ScatterFull(const Complex* block, std::span<const int64_t> indices, int64_t stride, Complex* target) {
  for (const int64_t i : indices) std::memcpy(target + i * stride, block + i * kWidth, kWidth * sizeof(Complex));
}

void ClearOthers(std::span<const int64_t> indices, int64_t extent, int64_t width, Complex* block) {
  int64_t next = 0;
  for (const int64_t i : indices) {
    std::fill(block + next * width, block + i * width, Complex{});
    next = i + 1;
  }
  std::fill(block + next * width, block + extent * width, Complex{});
}

}  // namespace

void GatherColumns(const Complex* source, int64_t stride, std::span<const int64_t> indices, int64_t extent,
                   int64_t width, int64_t columns, Complex* block) {
  if (static_cast<int64_t>(indices.size()) < extent) ClearOthers(indices, extent, width, block);
  if (columns == width && width == 8) return GatherFull<8>(source, stride, indices, block);
  if (columns == width && width == 16) return GatherFull<16>(source, stride, indices, block);
  if (columns == width && width == 32) return GatherFull<32>(source, stride, indices, block);
  for (const int64_t i : indices) {
    std::copy_n(source + i * stride, columns, block + i * width);
    std::fill(block + i * width + columns, block + (i + 1) * width, Complex{});
  }
}

void PrefetchColumns(const Complex* source, int64_t stride, std::span<const int64_t> indices, int64_t width) {
  constexpr int64_t kLine = 8;
  for (const int64_t i : indices) {
    for (int64_t j = 0; j < width; j += kLine) __builtin_prefetch(source + i * stride + j, /*rw=*/1, /*locality=*/2);
  }
}

void ScatterColumns(const Complex* block, int64_t width, int64_t columns, std::span<const int64_t> indices,
                    int64_t stride, Complex* target) {
  if (columns == width && width == 8) return ScatterFull<8>(block, indices, stride, target);
  if (columns == width && width == 16) return ScatterFull<16>(block, indices, stride, target);
  if (columns == width && width == 32) return ScatterFull<32>(block, indices, stride, target);
  for (const int64_t i : indices) std::copy_n(block + i * width, columns, target + i * stride);
}

}  // namespace deconvoy::worker::cpu
