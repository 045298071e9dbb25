#include "server/spool/fetch_tracker.h"

#include <algorithm>

namespace deconvoy::server {
namespace {

// Volumes with more planes are not followed, and so never count as fetched.
constexpr int64_t kMostPlanes = 1 << 23;

}  // namespace

bool FetchTracker::Sent(const std::string& volume_id, const Shape5& shape, const FrameBox& box) {
  const int64_t planes = shape.frames() * shape.z;
  const bool ends_planes = box.box.end().y == shape.y && box.box.end().x == shape.x;
  if (!ends_planes || planes > kMostPlanes) return false;
  std::lock_guard lock(mutex_);
  auto found =
      std::find_if(volumes_.begin(), volumes_.end(), [&](const Planes& known) { return known.volume_id == volume_id; });
  if (found == volumes_.end()) {
    volumes_.push_front({volume_id, std::vector<bool>(static_cast<size_t>(planes)), planes});
    if (volumes_.size() > most_volumes_) volumes_.pop_back();
  } else {
    volumes_.splice(volumes_.begin(), volumes_, found);
  }
  Planes& of = volumes_.front();
  for (int64_t z = box.box.origin.z; z < box.box.end().z; ++z) {
    const auto plane = static_cast<size_t>((box.t * shape.c + box.c) * shape.z + z);
    if (of.sent[plane]) continue;
    of.sent[plane] = true;
    --of.missing;
  }
  if (of.missing > 0) return false;
  volumes_.pop_front();
  return true;
}

}  // namespace deconvoy::server
