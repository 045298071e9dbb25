// Which voxels of a volume have come, box by box in any order.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "client/cpp/plane_set.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// Boxes may come twice, cut otherwise the second time. Memory goes with the boxes of planes that are not complete. Not
// thread safe.
class Coverage {
 public:
  explicit Coverage(const Shape5& shape) : shape_(shape) {}

  // Adds a box inside the volume; the voxels that had not come before.
  int64_t Add(const FrameBox& box);

  // A plane by its place in t,c,z order.
  bool IsComplete(int64_t plane) const { return complete_.Contains(plane); }
  bool complete() const { return voxels_ == shape_.voxels(); }
  int64_t voxels() const { return voxels_; }

  // Whole planes that are not complete, as boxes of neighbouring planes in t,c,z order.
  std::vector<FrameBox> Missing() const;

 private:
  struct Rectangle {
    int64_t y, x, end_y, end_x;
  };
  struct Plane {
    std::vector<Rectangle> parts;  // that do not overlap
    int64_t voxels = 0;
  };

  int64_t AddToPlane(Plane& plane, const Rectangle& part) const;

  const Shape5 shape_;
  int64_t voxels_ = 0;
  std::map<int64_t, Plane> partial_;  // by place
  PlaneSet complete_;
};

}  // namespace deconvoy::client
