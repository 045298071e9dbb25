#include "worker/psf/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace deconvoy::worker {
namespace {

double Kernel(double t) {
  const double a = std::abs(t);
  if (a >= 2) return 0;
  return a < 1 ? 1 + a * a * (1.5 * a - 2.5) : 2 + a * (-4 + a * (2.5 - 0.5 * a));
}

// The integral of the kernel from 0 to t.
double Integral(double t) {
  const double a = std::min(std::abs(t), 2.0);
  const double area =
      a < 1 ? a + a * a * a * (0.375 * a - 2.5 / 3) : -1.0 / 6 + a * (2 + a * (-2 + a * (2.5 / 3 - 0.125 * a)));
  return t < 0 ? -area : area;
}

// What the old voxels along one axis add to a new one.
struct Row {
  int64_t first = 0;
  std::vector<float> weights;
};

// `middle`: the origin on the new grid.
std::vector<Row> RowsOf(int64_t extent, int64_t origin, int64_t middle, double step) {
  const double window = step > 1 ? std::sqrt(step * step - 1) : 0;
  const int64_t told = ToldExtent(extent, origin, step);
  std::vector<Row> rows;
  for (int64_t i = 0; i < told; ++i) {
    const double place = static_cast<double>(origin) + static_cast<double>(i - middle) * step;
    const double reach = 2 + window / 2;
    Row& row = rows.emplace_back();
    row.first = std::max<int64_t>(static_cast<int64_t>(std::ceil(place - reach)), 0);
    const int64_t last = std::min(static_cast<int64_t>(std::floor(place + reach)), extent - 1);
    for (int64_t j = row.first; j <= last; ++j) {
      const double t = place - static_cast<double>(j);
      const double weight = window > 0 ? (Integral(t + window / 2) - Integral(t - window / 2)) / window : Kernel(t);
      row.weights.push_back(static_cast<float>(weight));
    }
  }
  return rows;
}

// Along an axis of `extent` voxels that are `stride` apart.
std::vector<float> Along(std::span<const float> values, int64_t extent, int64_t stride, const std::vector<Row>& rows) {
  const auto blocks = static_cast<int64_t>(values.size()) / (extent * stride);
  std::vector<float> told(static_cast<size_t>(blocks * static_cast<int64_t>(rows.size()) * stride));
  float* to = told.data();
  for (int64_t block = 0; block < blocks; ++block) {
    const float* from = values.data() + block * extent * stride;
    for (const Row& row : rows) {
      for (size_t k = 0; k < row.weights.size(); ++k) {
        const float* line = from + (row.first + static_cast<int64_t>(k)) * stride;
        for (int64_t i = 0; i < stride; ++i) to[i] += row.weights[k] * line[i];
      }
      to += stride;
    }
  }
  return told;
}

double PositiveSum(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += std::max(static_cast<double>(v), 0.0);
  return sum;
}

}  // namespace

Shape3 ToldShape(const Shape3& shape, const Voxel& origin, const PsfSteps& steps) {
  return {ToldExtent(shape.z, origin.z, steps.z), ToldExtent(shape.y, origin.y, steps.y),
          ToldExtent(shape.x, origin.x, steps.x)};
}

std::vector<float> Resample(std::vector<float> values, const Shape3& shape, const Voxel& origin,
                            const PsfSteps& steps) {
  const Voxel middle = ToldOrigin(origin, steps);
  const std::vector<Row> planes = RowsOf(shape.z, origin.z, middle.z, steps.z),
                         lines = RowsOf(shape.y, origin.y, middle.y, steps.y);
  const double before = PositiveSum(values);
  std::vector<float> told = Along(values, shape.z, shape.y * shape.x, planes);
  values = {};
  told = Along(told, shape.y, shape.x, lines);
  told = Along(told, shape.x, 1, RowsOf(shape.x, origin.x, middle.x, steps.x));
  const double sum = PositiveSum(told), scale = sum > 0 ? before / sum : 0;
  for (float& v : told) v = static_cast<float>(std::max(static_cast<double>(v), 0.0) * scale);
  return told;
}

}  // namespace deconvoy::worker
