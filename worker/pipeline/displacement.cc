#include "worker/pipeline/displacement.h"

#include <algorithm>
#include <cstddef>

namespace deconvoy::worker {
namespace {

std::span<const int32_t> ViewOf(const google::protobuf::RepeatedField<int32_t>& values) {
  return {values.data(), static_cast<size_t>(values.size())};
}

}  // namespace

Displacement DisplacementOf(const v1::FrameStatistics& frame) {
  return {frame.shift_z(), ViewOf(frame.plane_shift_y()), ViewOf(frame.plane_shift_x())};
}

Box3 RecordedBox(const Displacement& displacement, const Shape3& frame, const Box3& box) {
  if (!displacement.any()) return box;
  const int64_t first = std::max<int64_t>(box.origin.z + displacement.z, 0);
  const int64_t end = std::min(box.end().z + displacement.z, frame.z);
  const Box3 nothing{box.origin, {0, box.shape.y, box.shape.x}};
  if (first >= end) return nothing;
  Voxel low{first, frame.y, frame.x}, high{end, 0, 0};
  for (int64_t p = first; p < end; ++p) {
    low.y = std::min(low.y, box.origin.y + displacement.YOf(p));
    low.x = std::min(low.x, box.origin.x + displacement.XOf(p));
    high.y = std::max(high.y, box.end().y + displacement.YOf(p));
    high.x = std::max(high.x, box.end().x + displacement.XOf(p));
  }
  low.y = std::max<int64_t>(low.y, 0), low.x = std::max<int64_t>(low.x, 0);
  high.y = std::min(high.y, frame.y), high.x = std::min(high.x, frame.x);
  if (low.y >= high.y || low.x >= high.x) return nothing;
  return {low, {high.z - low.z, high.y - low.y, high.x - low.x}};
}

std::optional<int64_t> RecordedPlane(const Displacement& displacement, const Box3& recorded, const Box3& box,
                                     int64_t z) {
  const int64_t p = box.origin.z + z + displacement.z - recorded.origin.z;
  if (p < 0 || p >= recorded.shape.z) return std::nullopt;
  return p;
}

void PlacePlane(const Displacement& displacement, const Box3& recorded, int64_t p, std::span<const float> values,
                const Box3& box, float outside, std::span<float> placed) {
  std::fill(placed.begin(), placed.end(), outside);
  const int64_t plane = recorded.origin.z + p;
  // From a row and column of `box` to those of `recorded`.
  const int64_t down = box.origin.y + displacement.YOf(plane) - recorded.origin.y;
  const int64_t right = box.origin.x + displacement.XOf(plane) - recorded.origin.x;
  const int64_t begin = std::max<int64_t>(-right, 0), end = std::min(recorded.shape.x - right, box.shape.x);
  if (begin >= end) return;
  for (int64_t y = std::max<int64_t>(-down, 0); y < std::min(recorded.shape.y - down, box.shape.y); ++y) {
    const float* const from = values.data() + (y + down) * recorded.shape.x + right;
    std::copy(from + begin, from + end, placed.data() + y * box.shape.x + begin);
  }
}

}  // namespace deconvoy::worker
