#include "worker/imaging/result_noise.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>

namespace deconvoy::worker {
namespace {

constexpr int64_t kBlock = kFlatBlock;
constexpr float kBlockVoxels = 64;

using Lane = std::array<float, kBlock>;

float Sum(const Lane& lane) {
  return std::accumulate(lane.begin(), lane.end(), 0.0F);
}

// Squared deviations from the mean, of sums over values less a pivot.
double Deviations(const Lane& sum, const Lane& squares) {
  const double total = Sum(sum);
  return Sum(squares) - total * total / kBlockVoxels;
}

// A block and the column beside it.
void AddBlock(const float* image, const float* result, int64_t columns, NoiseSums& sums) {
  const float pivot = image[0], result_pivot = result[0];
  Lane sum{}, squares{}, differences{}, result_sum{}, result_squares{};
  for (int64_t y = 0; y < kBlock; ++y, image += columns, result += columns) {
    for (size_t x = 0; x < kBlock; ++x) {
      const float v = image[x] - pivot, step = image[x + 1] - image[x], w = result[x] - result_pivot;
      sum[x] += v;
      squares[x] += v * v;
      differences[x] += step * step;
      result_sum[x] += w;
      result_squares[x] += w * w;
    }
  }
  const double before = Deviations(sum, squares), between = Sum(differences) / 2;
  if (!(between > 0) || before / (kBlockVoxels - 1) > kFlatRatio * between / kBlockVoxels) return;
  sums.flat_voxels += static_cast<uint64_t>(kBlock * kBlock);
  sums.flat_before += before;
  sums.flat_after += std::max(Deviations(result_sum, result_squares), 0.0);
}

bool BrightBeside(std::span<const float> row, size_t x, float bright) {
  constexpr auto kReach = static_cast<size_t>(kRingReach);
  const size_t first = x - std::min(x, kReach), last = std::min(x + kReach, row.size() - 1);
  for (size_t i = first; i <= last; ++i) {
    if (row[i] >= bright) return true;
  }
  return false;
}

}  // namespace

NoiseSums& NoiseSums::operator+=(const NoiseSums& other) {
  flat_voxels += other.flat_voxels;
  flat_before += other.flat_before;
  flat_after += other.flat_after;
  ring_voxels += other.ring_voxels;
  return *this;
}

void AddFlat(std::span<const float> image, std::span<const float> result, int64_t columns, NoiseSums& sums) {
  const int64_t rows = static_cast<int64_t>(image.size()) / columns;
  for (int64_t y = 0; y + kBlock <= rows; y += kBlock) {
    for (int64_t x = 0; x + kBlock < columns; x += kBlock) {
      const int64_t at = y * columns + x;
      AddBlock(image.data() + at, result.data() + at, columns, sums);
    }
  }
}

void AddRings(std::span<const float> result, int64_t columns, double brightest, NoiseSums& sums) {
  if (brightest <= 0) return;
  const float dark = -kRingDark * static_cast<float>(brightest), bright = kRingBright * static_cast<float>(brightest);
  const auto width = static_cast<size_t>(columns);
  for (size_t begin = 0; begin < result.size(); begin += width) {
    const std::span<const float> row = result.subspan(begin, width);
    uint32_t below = 0;
    for (const float v : row) below |= static_cast<uint32_t>(v < dark);
    if (below == 0) continue;
    for (size_t x = 0; x < width; ++x) {
      if (row[x] < dark && BrightBeside(row, x, bright)) ++sums.ring_voxels;
    }
  }
}

}  // namespace deconvoy::worker
