#include "server/spool/stored_boxes.h"

#include <tuple>
#include <utility>

#include "proto/contract/status_macros.h"

namespace deconvoy::server {

StoredBoxes::StoredBoxes(Store& store, std::string volume_id, const FrameBox& region)
    : store_(store), volume_id_(std::move(volume_id)), region_(region), next_z_(region.box.origin.z) {}

absl::StatusOr<std::vector<CommittedBox>> StoredBoxes::UpTo(const FrameBox& piece) {
  const Voxel end = piece.box.end();
  if (end.z > next_z_) {
    ASSIGN_OR_RETURN(const std::vector<CommittedBox> boxes,
                     store_.GetBoxesFrom(volume_id_, region_.t, region_.c, next_z_, end.z));
    for (const CommittedBox& box : boxes) {
      if (region_.box.Contains(box.box.box)) waiting_.push_back(box);
    }
    next_z_ = end.z;
  }
  std::vector<CommittedBox> begun;
  const auto last = std::tuple(end.z - 1, end.y - 1, end.x - 1);
  while (!waiting_.empty()) {
    const Voxel& origin = waiting_.front().box.box.origin;
    if (std::tuple(origin.z, origin.y, origin.x) > last) break;
    begun.push_back(waiting_.front());
    waiting_.pop_front();
  }
  return begun;
}

}  // namespace deconvoy::server
