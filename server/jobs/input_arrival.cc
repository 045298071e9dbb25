#include "server/jobs/input_arrival.h"

#include <algorithm>

namespace deconvoy::server {

InputArrival::InputArrival(const v1::Shape5& shape)
    : shape_{shape.t(), shape.c(), shape.z(), shape.y(), shape.x()}, whole_(static_cast<size_t>(shape_.frames())) {}

void InputArrival::Add(const std::vector<FrameBox>& boxes) {
  for (const FrameBox& box : boxes) AddBox(box);
}

void InputArrival::AddBox(const FrameBox& box) {
  const int64_t number = box.t * shape_.c + box.c;
  if (whole_.test(static_cast<size_t>(number))) return;
  Frame& frame = partial_[number];
  if (frame.missing_voxels.empty()) {
    frame.missing_voxels.assign(static_cast<size_t>(shape_.z), shape_.y * shape_.x);
    frame.missing_planes = shape_.z;
  }
  const Voxel& origin = box.box.origin;
  if (!frame.boxes.emplace(origin.z, origin.y, origin.x).second) return;
  for (int64_t z = origin.z; z < box.box.end().z; ++z) {
    int64_t& missing = frame.missing_voxels[static_cast<size_t>(z)];
    missing -= box.box.shape.y * box.box.shape.x;
    if (missing > 0) continue;
    ++planes_;
    --frame.missing_planes;
  }
  if (frame.missing_planes > 0) return;
  whole_.set(static_cast<size_t>(number));
  partial_.erase(number);
}

bool InputArrival::Has(int64_t t, int64_t c, int64_t begin, int64_t end) const {
  const int64_t number = t * shape_.c + c;
  if (complete_ || begin >= end || whole_.test(static_cast<size_t>(number))) return true;
  const auto found = partial_.find(number);
  if (found == partial_.end()) return false;
  const auto& missing = found->second.missing_voxels;
  return std::all_of(missing.begin() + begin, missing.begin() + end, [](int64_t voxels) { return voxels == 0; });
}

}  // namespace deconvoy::server
