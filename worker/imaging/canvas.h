// A frame to draw smooth structures into, or a window of it: what lies outside is not kept. Positions are in voxels of
// the frame, lengths in x voxels.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// A place or direction in space.
struct Point {
  double z = 0, y = 0, x = 0;
};

class Canvas {
 public:
  // REQUIRES: a window inside the frame of extents `shape`.
  Canvas(const Shape3& shape, const Box3& window, double z_spacing, double y_spacing);

  // Adds weight (1 - q^2)^2 with q the distance from `centre` in units of `radius`. The radius counts as at least 1.2
  // voxels along each axis.
  void Blob(const Point& centre, double radius, double weight);
  // Adds `weight` times profile(d), d the vector from `centre` in x voxels, wherever each |d| is at most `reach`.
  void Add(const Point& centre, const Point& reach, double weight, const std::function<double(const Point&)>& profile);
  // Adds to one voxel.
  void Dot(const Voxel& voxel, double weight);

  // Of the frame.
  const Shape3& shape() const { return shape_; }
  // Extent of the frame in x voxels, and a place given in x voxels as one in voxels.
  Point extent() const;
  Point ToVoxels(const Point& place) const { return {place.z / z_, place.y / y_, place.x}; }
  double z_spacing() const { return z_; }

  // The window's.
  std::vector<float> Take() { return std::move(values_); }

 private:
  float& At(const Voxel& voxel);

  const Shape3 shape_;
  const Box3 window_;
  const double z_, y_;
  std::vector<float> values_;
};

}  // namespace deconvoy::worker
