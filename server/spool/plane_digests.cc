#include "server/spool/plane_digests.h"

#include <algorithm>

namespace deconvoy::server {
namespace {

constexpr size_t kMostKeptDigests = 32'768;  // some 80 bytes each

}  // namespace

void PlaneHasher::Take(int64_t offset, std::span<const std::byte> bytes, std::vector<PlaneDigest>& ended) {
  if (offset != next_) {
    // The rest of a plane whose beginning is not known is passed over.
    const int64_t rest = (plane_bytes_ - offset % plane_bytes_) % plane_bytes_;
    next_ = -1;
    if (rest >= static_cast<int64_t>(bytes.size())) return;
    bytes = bytes.subspan(static_cast<size_t>(rest));
    next_ = offset + rest;
    plane_.Finish();
  }
  while (!bytes.empty()) {
    const int64_t plane = next_ / plane_bytes_;
    const int64_t room = (plane + 1) * plane_bytes_ - next_;
    const auto piece = bytes.first(std::min(bytes.size(), static_cast<size_t>(room)));
    plane_.Update(piece);
    next_ += static_cast<int64_t>(piece.size());
    bytes = bytes.subspan(piece.size());
    if (static_cast<int64_t>(piece.size()) == room) ended.emplace_back(plane, plane_.Finish());
  }
}

void PlaneDigests::Add(const std::vector<PlaneDigest>& planes) {
  const std::lock_guard lock(mutex_);
  for (const PlaneDigest& plane : planes) {
    if (planes_.size() >= kMostKeptDigests) return;
    planes_.insert(plane);
  }
}

std::map<int64_t, Sha256Digest> PlaneDigests::All() const {
  const std::lock_guard lock(mutex_);
  return planes_;
}

}  // namespace deconvoy::server
