#include "worker/imaging/canvas.h"

#include <algorithm>
#include <cmath>

namespace deconvoy::worker {
namespace {

constexpr double kLeastRadius = 1.2;  // voxels

// Voxels of an axis: [first, last).
struct Range {
  int64_t first, last;
};

// Those of `of` within `reach` of `centre`.
Range Around(double centre, double reach, const Range& of) {
  const auto first = static_cast<int64_t>(std::ceil(centre - reach));
  const auto last = static_cast<int64_t>(std::floor(centre + reach)) + 1;
  return {std::max(first, of.first), std::min(last, of.last)};
}

}  // namespace

Canvas::Canvas(const Shape3& shape, const Box3& window, double z_spacing, double y_spacing)
    : shape_(shape),
      window_(window),
      z_(z_spacing),
      y_(y_spacing),
      values_(static_cast<size_t>(window.shape.voxels())) {}

float& Canvas::At(const Voxel& voxel) {
  const Voxel in = voxel - window_.origin;
  return values_[static_cast<size_t>((in.z * window_.shape.y + in.y) * window_.shape.x + in.x)];
}

Point Canvas::extent() const {
  return {static_cast<double>(shape_.z) * z_, static_cast<double>(shape_.y) * y_, static_cast<double>(shape_.x)};
}

void Canvas::Add(const Point& centre, const Point& reach, double weight,
                 const std::function<double(const Point&)>& profile) {
  const Voxel first = window_.origin, last = window_.end();
  const Range zs = Around(centre.z, reach.z / z_, {first.z, last.z}),
              ys = Around(centre.y, reach.y / y_, {first.y, last.y}), xs = Around(centre.x, reach.x, {first.x, last.x});
  if (xs.first >= xs.last) return;
  for (int64_t z = zs.first; z < zs.last; ++z) {
    const double dz = (static_cast<double>(z) - centre.z) * z_;
    for (int64_t y = ys.first; y < ys.last; ++y) {
      const double dy = (static_cast<double>(y) - centre.y) * y_;
      float* row = &At({z, y, xs.first});
      for (int64_t x = xs.first; x < xs.last; ++x) {
        *row++ += static_cast<float>(weight * profile({dz, dy, static_cast<double>(x) - centre.x}));
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
  if (window_.Contains({voxel, {1, 1, 1}})) At(voxel) += static_cast<float>(weight);
}

}  // namespace deconvoy::worker
