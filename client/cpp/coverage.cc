#include "client/cpp/coverage.h"

#include <algorithm>
#include <utility>

namespace deconvoy::client {

int64_t Coverage::Add(const FrameBox& box) {
  const Box3& b = box.box;
  const Rectangle part{b.origin.y, b.origin.x, b.end().y, b.end().x};
  int64_t added = 0;
  for (int64_t z = b.origin.z; z < b.end().z; ++z) {
    const int64_t place = (box.t * shape_.c + box.c) * shape_.z + z;
    if (IsComplete(place)) continue;
    Plane& plane = partial_[place];
    added += AddToPlane(plane, part);
    if (plane.voxels < shape_.y * shape_.x) continue;
    partial_.erase(place);
    complete_.Add(place);
  }
  voxels_ += added;
  return added;
}

std::vector<FrameBox> Coverage::Missing() const {
  std::vector<FrameBox> missing;
  const int64_t planes = shape_.frames() * shape_.z;
  const auto add = [&](int64_t from, int64_t to) {
    while (from < to) {
      const int64_t frame = from / shape_.z, z = from % shape_.z;
      const int64_t end = std::min(to, (frame + 1) * shape_.z);
      missing.push_back({frame / shape_.c, frame % shape_.c, {{z, 0, 0}, {end - from, shape_.y, shape_.x}}});
      from = end;
    }
  };
  int64_t from = 0;
  complete_.ForEachRun([&](int64_t first, int64_t end) {
    add(from, first);
    from = end;
  });
  add(from, planes);
  return missing;
}

// What is left of the new part when the old ones are cut out of it is added.
int64_t Coverage::AddToPlane(Plane& plane, const Rectangle& part) const {
  std::vector<Rectangle> fresh = {part};
  for (const Rectangle& old : plane.parts) {
    std::vector<Rectangle> rest;
    const auto keep = [&rest](const Rectangle& r) {
      if (r.y < r.end_y && r.x < r.end_x) rest.push_back(r);
    };
    for (const Rectangle& r : fresh) {
      if (old.end_y <= r.y || old.y >= r.end_y || old.end_x <= r.x || old.x >= r.end_x) {
        keep(r);
        continue;
      }
      const int64_t y = std::max(r.y, old.y), end_y = std::min(r.end_y, old.end_y);
      keep({r.y, r.x, y, r.end_x});
      keep({end_y, r.x, r.end_y, r.end_x});
      keep({y, r.x, end_y, old.x});
      keep({y, old.end_x, end_y, r.end_x});
    }
    fresh = std::move(rest);
  }
  int64_t added = 0;
  for (const Rectangle& r : fresh) added += (r.end_y - r.y) * (r.end_x - r.x);
  plane.parts.insert(plane.parts.end(), fresh.begin(), fresh.end());
  plane.voxels += added;
  return added;
}

}  // namespace deconvoy::client
