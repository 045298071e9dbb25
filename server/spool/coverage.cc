#include "server/spool/coverage.h"

#include <fmt/format.h>

#include <algorithm>

namespace deconvoy::server {
namespace {

// Extent of a box along one axis.
struct Interval {
  int64_t begin = 0, end = 0;
};

Interval AlongZ(const Box3& box) {
  return {box.origin.z, box.end().z};
}
Interval AlongY(const Box3& box) {
  return {box.origin.y, box.end().y};
}

// Cuts [0, extent) where boxes begin or end along the axis, and calls `visit(interval, boxes that span it)` for each
// part in order until it returns false.
template <typename Axis, typename Visit>
bool ForEachPart(std::vector<Box3> boxes, int64_t extent, const Axis& along, const Visit& visit) {
  std::sort(boxes.begin(), boxes.end(), [&](const Box3& a, const Box3& b) { return along(a).begin < along(b).begin; });
  std::vector<Box3> open;
  size_t next = 0;
  for (int64_t begin = 0; begin < extent;) {
    std::erase_if(open, [&](const Box3& box) { return along(box).end <= begin; });
    while (next < boxes.size() && along(boxes[next]).begin <= begin) open.push_back(boxes[next++]);
    int64_t end = next < boxes.size() ? along(boxes[next]).begin : extent;
    for (const Box3& box : open) end = std::min(end, along(box).end);
    if (!visit(Interval{begin, end}, open)) return false;
    begin = end;
  }
  return true;
}

}  // namespace

int64_t CoveredVoxels(const Box3& region, const std::vector<Box3>& boxes) {
  int64_t voxels = 0;
  for (const Box3& box : boxes) voxels += Intersect(region, box).shape.voxels();
  return voxels;
}

std::vector<Box3> MissingBoxes(const Shape3& frame, std::vector<Box3> boxes, size_t limit) {
  std::vector<Box3> missing;
  const auto add = [&](const Interval& z, const Interval& y, const Interval& x) {
    if (x.begin < x.end) {
      missing.push_back({{z.begin, y.begin, x.begin}, {z.end - z.begin, y.end - y.begin, x.end - x.begin}});
    }
    return missing.size() < limit;
  };
  const auto visit_band = [&](const Interval& z, const Interval& y, std::vector<Box3> row) {
    std::sort(row.begin(), row.end(), [](const Box3& a, const Box3& b) { return a.origin.x < b.origin.x; });
    int64_t x = 0;
    for (const Box3& box : row) {
      if (!add(z, y, {x, box.origin.x})) return false;
      x = box.end().x;
    }
    return add(z, y, {x, frame.x});
  };
  if (limit == 0) return missing;
  ForEachPart(std::move(boxes), frame.z, AlongZ, [&](const Interval& z, const std::vector<Box3>& slab) {
    if (slab.empty()) return add(z, {0, frame.y}, {0, frame.x});
    return ForEachPart(slab, frame.y, AlongY,
                       [&](const Interval& y, const std::vector<Box3>& band) { return visit_band(z, y, band); });
  });
  return missing;
}

std::string BoxText(const FrameBox& box) {
  const auto& [origin, shape] = box.box;
  return fmt::format("t={} c={} z={} y={} x={} of {}x{}x{} voxels", box.t, box.c, origin.z, origin.y, origin.x, shape.z,
                     shape.y, shape.x);
}

}  // namespace deconvoy::server
