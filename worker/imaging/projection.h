// Maximum-intensity projections of one frame, plane by plane.
#pragma once

#include <absl/status/status.h>

#include <span>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Extent of the projection: 1 along `axis`.
Shape3 ProjectedShape(const Shape3& frame, v1::ProjectSpec::Axis axis);

// Takes the planes of a frame in order. Not thread safe.
class Projection {
 public:
  Projection(const Shape3& frame, v1::ProjectSpec::Axis axis);

  // REQUIRES: frame.y * frame.x values, none of them NaN.
  void AddPlane(std::span<const float> plane);
  // In z,y,x order of the projected shape.
  const std::vector<float>& values() const { return values_; }

 private:
  float& Target(int64_t y, int64_t x);

  const Shape3 frame_;
  const v1::ProjectSpec::Axis axis_;
  const Shape3 shape_;
  std::vector<float> values_;
  int64_t plane_ = 0;
};

}  // namespace deconvoy::worker
