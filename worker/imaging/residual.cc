#include "worker/imaging/residual.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "worker/imaging/lanes.h"

namespace deconvoy::worker {
namespace {

constexpr double kFloor = 0.01;        // of the mean of y
constexpr double kLeastFloor = 1e-30;  // of a frame without light
constexpr int64_t kBlock = kFaintBlock, kRim = kFaintRim;
constexpr double kInner = kFaintInner, kOuter = kFaintOuter;

void Normalise(float floor, std::span<const float> y, std::span<const float> model, std::span<float> r) {
  for (size_t i = 0; i < r.size(); ++i) r[i] = (y[i] - model[i]) / std::sqrt(std::max(model[i], floor));
}

void AddRow(std::span<const float> r, ResidualSums& sums) {
  std::array<double, kLanes> sum{}, squares{};
  size_t i = 0;
  for (; i + kLanes <= r.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const double v = r[i + k];
      sum[k] += v;
      squares[k] += v * v;
    }
  }
  for (; i < r.size(); ++i) {
    const double v = r[i];
    sum[0] += v;
    squares[0] += v * v;
  }
  sums.voxels += r.size();
  sums.sum += PairwiseSum(sum);
  sums.squares += PairwiseSum(squares);
}

struct Block {
  double mean = 0;
  double contrast = 0;  // of its inner voxels over the others, on average
};

// Of a row of a block.
using BlockRow = std::array<float, kBlock>;

Block Measure(const float* values, int64_t columns) {
  BlockRow all{}, inner{};  // sums over rows
  for (int64_t y = 0; y < kBlock; ++y, values += columns) {
    const bool rim = y < kRim || y >= kBlock - kRim;
    for (size_t x = 0; x < kBlock; ++x) all[x] += values[x];
    if (rim) continue;
    for (size_t x = 0; x < kBlock; ++x) inner[x] += values[x];
  }
  const double sum = std::accumulate(all.begin(), all.end(), 0.0);
  const double middle = std::accumulate(inner.begin() + kRim, inner.end() - kRim, 0.0);
  return {sum / (kInner + kOuter), middle / kInner - (sum - middle) / kOuter};
}

// The variance of noise that neighbours do not share.
double Noise(const float* values, int64_t columns) {
  BlockRow squares{};
  for (int64_t y = 0; y < kBlock; ++y, values += columns) {
    for (size_t x = 0; x + 1 < kBlock; ++x) squares[x] += (values[x + 1] - values[x]) * (values[x + 1] - values[x]);
  }
  return std::accumulate(squares.begin(), squares.end(), 0.0) / (2.0 * kBlock * (kBlock - 1));
}

bool AllMeasured(const float* m, int64_t columns) {
  for (int64_t y = 0; y < kBlock; ++y, m += columns) {
    if (std::find(m, m + kBlock, 0.0F) != m + kBlock) return false;
  }
  return true;
}

void AddFaint(const ResidualScale& scale, const float* y, const float* model, int64_t columns, ResidualSums& sums) {
  const Block block = Measure(y, columns);
  if (block.contrast <= 0 || block.mean - scale.background > kFaintLight * (scale.brightest - scale.background)) return;
  const double variance = Noise(y, columns) * (1 / kInner + 1 / kOuter);
  if (block.contrast * block.contrast < kFaintSignificance * kFaintSignificance * variance) return;
  sums.faint_voxels += static_cast<uint64_t>(kBlock * kBlock);
  sums.faint_light += kInner * block.contrast;
  sums.faint_model += kInner * Measure(model, columns).contrast;
}

}  // namespace

ResidualSums::Pairs& ResidualSums::Pairs::operator+=(const Pairs& other) {
  count += other.count;
  products += other.products;
  return *this;
}

ResidualSums& ResidualSums::operator+=(const ResidualSums& other) {
  voxels += other.voxels;
  sum += other.sum;
  squares += other.squares;
  x += other.x;
  y += other.y;
  z += other.z;
  faint_voxels += other.faint_voxels;
  faint_light += other.faint_light;
  faint_model += other.faint_model;
  return *this;
}

double ResidualFloor(double mean) {
  return std::max(kFloor * mean, kLeastFloor);
}

void AddResidual(const ResidualScale& scale, const Compared& plane, int64_t columns, std::span<float> r,
                 ResidualSums& sums) {
  Normalise(static_cast<float>(scale.floor), plane.y, plane.model, r);
  const auto width = static_cast<size_t>(columns);
  for (size_t row = 0; row < r.size(); row += width) {
    const std::span<const float> values = r.subspan(row, width);
    AddRow(values, sums);
    sums.x += PairUp(values.subspan(1), values.first(width - 1));
    if (row > 0) sums.y += PairUp(values, r.subspan(row - width, width));
  }
  const int64_t rows = static_cast<int64_t>(r.size()) / columns;
  for (int64_t row = 0; row + kBlock <= rows; row += kBlock) {
    for (int64_t x = 0; x + kBlock <= columns; x += kBlock) {
      const int64_t at = row * columns + x;
      if (!plane.m.empty() && !AllMeasured(plane.m.data() + at, columns)) continue;
      AddFaint(scale, plane.y.data() + at, plane.model.data() + at, columns, sums);
    }
  }
}

ResidualSums::Pairs PairUp(std::span<const float> r, std::span<const float> before) {
  std::array<double, kLanes> products{};
  size_t i = 0;
  for (; i + kLanes <= r.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) products[k] += static_cast<double>(r[i + k]) * before[i + k];
  }
  for (; i < r.size(); ++i) products[0] += static_cast<double>(r[i]) * before[i];
  return {r.size(), PairwiseSum(products)};
}

}  // namespace deconvoy::worker
