#include "worker/imaging/projection.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace deconvoy::worker {

Shape3 ProjectedShape(const Shape3& frame, v1::ProjectSpec::Axis axis) {
  switch (axis) {
    case v1::ProjectSpec::Y:
      return {frame.z, 1, frame.x};
    case v1::ProjectSpec::X:
      return {frame.z, frame.y, 1};
    default:
      return {1, frame.y, frame.x};
  }
}

Projection::Projection(const Shape3& frame, v1::ProjectSpec::Axis axis)
    : frame_(frame),
      axis_(axis),
      shape_(ProjectedShape(frame, axis)),
      values_(static_cast<size_t>(shape_.voxels()), -std::numeric_limits<float>::infinity()) {}

float& Projection::Target(int64_t y, int64_t x) {
  const int64_t tz = axis_ == v1::ProjectSpec::Y || axis_ == v1::ProjectSpec::X ? plane_ : 0;
  const int64_t ty = axis_ == v1::ProjectSpec::Y ? 0 : y;
  const int64_t tx = axis_ == v1::ProjectSpec::X ? 0 : x;
  return values_[static_cast<size_t>((tz * shape_.y + ty) * shape_.x + tx)];
}

void Projection::AddPlane(std::span<const float> plane) {
  size_t i = 0;
  for (int64_t y = 0; y < frame_.y; ++y) {
    for (int64_t x = 0; x < frame_.x; ++x, ++i) {
      float& target = Target(y, x);
      target = std::max(target, plane[i]);
    }
  }
  ++plane_;
}

}  // namespace deconvoy::worker
