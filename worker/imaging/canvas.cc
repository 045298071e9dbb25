#include "worker/imaging/canvas.h"

#include <algorithm>
#include <cmath>

namespace deconvoy::worker {
namespace {

constexpr double kLeastRadius = 1.2;  // voxels

// Voxels of an axis within `reach` of `centre`: [first, last).
struct Range {
  int64_t first, last;
};

Range Around(double centre, double reach, int64_t extent) {
  const auto first = static_cast<int64_t>(std::ceil(centre - reach));
  const auto last = static_cast<int64_t>(std::floor(centre + reach)) + 1;
  return {std::max<int64_t>(first, 0), std::min(last, extent)};
}

}  // namespace

Canvas::Canvas(const Shape3& shape, double z_spacing, double y_spacing)
    : shape_(shape), z_(z_spacing), y_(y_spacing), values_(static_cast<size_t>(shape.voxels())) {}

Point Canvas::extent() const {
  return {static_cast<double>(shape_.z) * z_, static_cast<double>(shape_.y) * y_, static_cast<double>(shape_.x)};
}

void Canvas::Add(const Point& centre, const Point& reach, double weight,
                 const std::function<double(const Point&)>& profile) {
  const Range zs = Around(centre.z, reach.z / z_, shape_.z), ys = Around(centre.y, reach.y / y_, shape_.y),
              xs = Around(centre.x, reach.x, shape_.x);
  for (int64_t z = zs.first; z < zs.last; ++z) {
    const double dz = (static_cast<double>(z) - centre.z) * z_;
    for (int64_t y = ys.first; y < ys.last; ++y) {
      const double dy = (static_cast<double>(y) - centre.y) * y_;
      float* row = values_.data() + (z * shape_.y + y) * shape_.x;
      for (int64_t x = xs.first; x < xs.last; ++x) {
        row[x] += static_cast<float>(weight * profile({dz, dy, static_cast<double>(x) - centre.x}));
      }
    }
  }
}

void Canvas::Blob(const Point& centre, double radius, double weight) {
  const Point r{std::max(radius, kLeastRadius * z_), std::max(radius, kLeastRadius * y_),
                std::max(radius, kLeastRadius)};
  Add(centre, r, weight, [&r](const Point& d) {
    const double z = d.z / r.z, y = d.y / r.y, x = d.x / r.x;
    const double inside = std::max(1 - (z * z + y * y + x * x), 0.0);
    return inside * inside;
  });
}

void Canvas::Dot(const Voxel& voxel, double weight) {
  if (!Box3{{}, shape_}.Contains({voxel, {1, 1, 1}})) return;
  values_[static_cast<size_t>((voxel.z * shape_.y + voxel.y) * shape_.x + voxel.x)] += static_cast<float>(weight);
}

}  // namespace deconvoy::worker
