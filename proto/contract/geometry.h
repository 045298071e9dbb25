// Shapes and boxes of voxels, in the order z, y, x everywhere.
//
// Plain values, no I/O, thread compatible. Extents are non-negative; a shape with a zero extent is empty.
#pragma once

#include <algorithm>
#include <cstdint>

namespace deconvoy {

// A position, displacement or extent in voxels.
struct Voxel {
  int64_t z = 0, y = 0, x = 0;

  friend bool operator==(const Voxel&, const Voxel&) = default;
  friend Voxel operator+(const Voxel& a, const Voxel& b) { return {a.z + b.z, a.y + b.y, a.x + b.x}; }
  friend Voxel operator-(const Voxel& a, const Voxel& b) { return {a.z - b.z, a.y - b.y, a.x - b.x}; }
};

// Extent of a 3-D array.
struct Shape3 {
  int64_t z = 0, y = 0, x = 0;

  int64_t voxels() const { return z * y * x; }
  bool empty() const { return z <= 0 || y <= 0 || x <= 0; }
  friend bool operator==(const Shape3&, const Shape3&) = default;
};

// A box of voxels: `origin` is its first voxel.
struct Box3 {
  Voxel origin;
  Shape3 shape;

  Voxel end() const { return {origin.z + shape.z, origin.y + shape.y, origin.x + shape.x}; }
  bool empty() const { return shape.empty(); }
  bool Contains(const Box3& other) const {
    const Voxel a = end(), b = other.end();
    return other.origin.z >= origin.z && other.origin.y >= origin.y && other.origin.x >= origin.x && b.z <= a.z &&
           b.y <= a.y && b.x <= a.x;
  }
  friend bool operator==(const Box3&, const Box3&) = default;
};

// The box common to both; empty (zero shape) where they do not meet.
inline Box3 Intersect(const Box3& a, const Box3& b) {
  const Voxel o{std::max(a.origin.z, b.origin.z), std::max(a.origin.y, b.origin.y), std::max(a.origin.x, b.origin.x)};
  const Voxel ea = a.end(), eb = b.end();
  const Shape3 s{std::min(ea.z, eb.z) - o.z, std::min(ea.y, eb.y) - o.y, std::min(ea.x, eb.x) - o.x};
  if (s.empty()) return {o, {}};
  return {o, s};
}

// Extent of a volume: time points, channels, planes, rows, columns.
struct Shape5 {
  int64_t t = 0, c = 0, z = 0, y = 0, x = 0;

  Shape3 frame() const { return {z, y, x}; }
  int64_t frames() const { return t * c; }
  int64_t voxels() const { return t * c * z * y * x; }
  friend bool operator==(const Shape5&, const Shape5&) = default;
};

// A box inside one frame.
struct FrameBox {
  int64_t t = 0, c = 0;
  Box3 box;

  friend bool operator==(const FrameBox&, const FrameBox&) = default;
};

}  // namespace deconvoy
