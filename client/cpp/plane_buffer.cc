#include "client/cpp/plane_buffer.h"

#include <absl/status/status.h>

#include <algorithm>
#include <utility>

#include "proto/contract/limits.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {

void PlaneBuffer::Add(const FrameBox& plane, Bytes bytes) {
  bytes_ += static_cast<int64_t>(bytes->size());
  planes_.push_back({.box = plane, .bytes = std::move(bytes), .pieces = PiecesOf(plane)});
  if (next_ == planes_.end()) next_ = std::prev(planes_.end());
}

std::optional<PlaneBuffer::Piece> PlaneBuffer::TakeNext() {
  if (next_ == planes_.end()) return std::nullopt;
  const Planes::iterator plane = next_;
  const FrameBox& box = plane->pieces[plane->sent++];
  on_the_way_.push_back(plane);
  SkipToUnsent();
  const int64_t voxel_bytes = BytesPerVoxel(type_), row = plane->box.box.shape.x;
  return Piece{.box = box,
               .plane = plane->bytes,
               .offset = (box.box.origin.y * row + box.box.origin.x) * voxel_bytes,
               .bytes = box.box.shape.voxels() * voxel_bytes};
}

std::vector<FrameBox> PlaneBuffer::Acknowledge(uint64_t chunks) {
  std::vector<FrameBox> durable;
  for (; acknowledged_ < chunks && !on_the_way_.empty(); ++acknowledged_) {
    const Planes::iterator plane = on_the_way_.front();
    on_the_way_.pop_front();
    if (++plane->acknowledged < plane->pieces.size()) continue;
    durable.push_back(plane->box);
    Forget(plane);
  }
  return durable;
}

std::vector<FrameBox> PlaneBuffer::Restart(const MissingBoxes& missing) {
  std::vector<FrameBox> durable;
  on_the_way_.clear();
  acknowledged_ = 0;
  for (auto plane = planes_.begin(); plane != planes_.end();) {
    plane->pieces = PiecesOf(plane->box);
    std::erase_if(plane->pieces, [&missing](const FrameBox& piece) { return !missing.Misses(piece); });
    plane->sent = plane->acknowledged = 0;
    if (plane->pieces.empty()) {
      durable.push_back(plane->box);
      plane = Forget(plane);
    } else {
      ++plane;
    }
  }
  next_ = planes_.begin();
  return durable;
}

std::vector<FrameBox> PlaneBuffer::PiecesOf(const FrameBox& plane) const {
  std::vector<FrameBox> pieces;
  const auto take = [&pieces](const FrameBox& piece) {
    pieces.push_back(piece);
    return absl::OkStatus();
  };
  ForEachPiece(plane, type_, static_cast<int64_t>(limits::kChunkBytes), take).IgnoreError();
  return pieces;
}

PlaneBuffer::Planes::iterator PlaneBuffer::Forget(Planes::iterator plane) {
  bytes_ -= static_cast<int64_t>(plane->bytes->size());
  return planes_.erase(plane);
}

void PlaneBuffer::SkipToUnsent() {
  while (next_ != planes_.end() && next_->sent == next_->pieces.size()) ++next_;
}

}  // namespace deconvoy::client
