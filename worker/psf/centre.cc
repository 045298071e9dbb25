#include "worker/psf/centre.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "proto/contract/error.h"

namespace deconvoy::worker {
namespace {

int64_t IndexOf(const Voxel& v, const Shape3& shape) {
  return (v.z * shape.y + v.y) * shape.x + v.x;
}

Voxel VoxelAt(int64_t index, const Shape3& shape) {
  return {index / (shape.y * shape.x), index / shape.x % shape.y, index % shape.x};
}

// A position between voxels, and the weighted mean of many.
struct Mean {
  double weight = 0, z = 0, y = 0, x = 0;

  void Add(const Voxel& v, double w) {
    weight += w;
    z += w * static_cast<double>(v.z);
    y += w * static_cast<double>(v.y);
    x += w * static_cast<double>(v.x);
  }
  Mean Value() const { return {1, z / weight, y / weight, x / weight}; }
};

// The margin makes exact halves go up whatever the rounding of the sums.
int64_t Nearest(double position, int64_t extent) {
  const auto voxel = static_cast<int64_t>(std::floor(position + 0.5 + 1e-6));
  return std::clamp<int64_t>(voxel, 0, extent - 1);
}

Voxel Nearest(const Mean& p, const Shape3& shape) {
  return {Nearest(p.z, shape.z), Nearest(p.y, shape.y), Nearest(p.x, shape.x)};
}

// Indices of the region above half maximum that is connected, over faces, with the first maximum.
std::vector<int64_t> PeakRegion(std::span<const float> values, const Shape3& shape) {
  const int64_t start = std::max_element(values.begin(), values.end()) - values.begin();
  const float half = values[static_cast<size_t>(start)] / 2;
  std::vector<bool> seen(values.size());
  std::vector<int64_t> region{start};
  seen[static_cast<size_t>(start)] = true;
  for (size_t next = 0; next < region.size(); ++next) {
    const Voxel v = VoxelAt(region[next], shape);
    for (const Voxel& step : {Voxel{-1, 0, 0}, {1, 0, 0}, {0, -1, 0}, {0, 1, 0}, {0, 0, -1}, {0, 0, 1}}) {
      const Voxel n = v + step;
      if (n.z < 0 || n.y < 0 || n.x < 0 || n.z >= shape.z || n.y >= shape.y || n.x >= shape.x) continue;
      const auto index = static_cast<size_t>(IndexOf(n, shape));
      if (seen[index] || !(values[index] > half)) continue;
      seen[index] = true;
      region.push_back(static_cast<int64_t>(index));
    }
  }
  std::sort(region.begin(), region.end());
  return region;
}

Voxel Peak(std::span<const float> values, const Shape3& shape, const std::vector<int64_t>& region) {
  Mean mean;
  for (int64_t index : region) mean.Add(VoxelAt(index, shape), values[static_cast<size_t>(index)]);
  return Nearest(mean.Value(), shape);
}

Voxel Centroid(std::span<const float> values, const Shape3& shape) {
  Mean mean;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] > 0) mean.Add(VoxelAt(static_cast<int64_t>(i), shape), values[i]);
  }
  return Nearest(mean.Value(), shape);
}

Voxel Geometric(const Shape3& shape) {
  return {shape.z / 2, shape.y / 2, shape.x / 2};
}
Voxel GeometricLow(const Shape3& shape) {
  return {(shape.z - 1) / 2, (shape.y - 1) / 2, (shape.x - 1) / 2};
}

// Largest distance along any axis.
double Distance(const Voxel& v, const Mean& p) {
  return std::max({std::abs(static_cast<double>(v.z) - p.z), std::abs(static_cast<double>(v.y) - p.y),
                   std::abs(static_cast<double>(v.x) - p.x)});
}

PsfOrigin Automatic(std::span<const float> values, const Shape3& shape) {
  const std::vector<int64_t> region = PeakRegion(values, shape);
  const float maximum = *std::max_element(values.begin(), values.end());
  Mean highest;
  for (int64_t index : region) {
    if (values[static_cast<size_t>(index)] == maximum) highest.Add(VoxelAt(index, shape), 1);
  }
  const Mean top = highest.Value();
  const double high = Distance(Geometric(shape), top), low = Distance(GeometricLow(shape), top);
  if (std::min(high, low) > 1) return {Peak(values, shape, region), v1::PEAK};
  if (high <= low) return {Geometric(shape), v1::GEOMETRIC};
  return {GeometricLow(shape), v1::GEOMETRIC_LOW};
}

absl::StatusOr<PsfOrigin> Given(const Shape3& shape, const Voxel& given) {
  if (Box3{{}, shape}.Contains({given, {1, 1, 1}})) return PsfOrigin{given, v1::GIVEN};
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.psf_centre_voxel",
                    .remedy = "Give a voxel of the PSF, counted from 0."},
                   fmt::format("the PSF's centre {},{},{} (z,y,x) lies outside the PSF of {}x{}x{} voxels", given.z,
                               given.y, given.x, shape.z, shape.y, shape.x));
}

}  // namespace

absl::StatusOr<PsfOrigin> FindOrigin(std::span<const float> values, const Shape3& shape, v1::PsfCentre rule,
                                     const Voxel& given) {
  switch (rule) {
    case v1::GEOMETRIC:
      return PsfOrigin{Geometric(shape), rule};
    case v1::GEOMETRIC_LOW:
      return PsfOrigin{GeometricLow(shape), rule};
    case v1::PEAK:
      return PsfOrigin{Peak(values, shape, PeakRegion(values, shape)), rule};
    case v1::CENTROID:
      return PsfOrigin{Centroid(values, shape), rule};
    case v1::GIVEN:
      return Given(shape, given);
    default:
      return Automatic(values, shape);
  }
}

}  // namespace deconvoy::worker
