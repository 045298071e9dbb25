#include "server/spool/volume_changes.h"

namespace deconvoy::server {

VolumeChanges::Follower::Follower(VolumeChanges& changes, const std::string& volume_id) : changes_(changes) {
  std::lock_guard lock(changes_.mutex_);
  place_ = changes_.followed_.emplace(volume_id, News{});
}

VolumeChanges::Follower::~Follower() {
  std::lock_guard lock(changes_.mutex_);
  changes_.followed_.erase(place_);
}

VolumeChanges::News VolumeChanges::Follower::Wait(std::chrono::milliseconds longest) {
  std::unique_lock lock(changes_.mutex_);
  changes_.changed_.wait_for(lock, longest, [&] { return changes_.stopped_ || place_->second.any(); });
  News news = std::exchange(place_->second, {});
  news.stopped = changes_.stopped_;
  return news;
}

void VolumeChanges::Commit(const std::string& volume_id, const std::vector<CommittedBox>& boxes) {
  {
    std::lock_guard lock(mutex_);
    const auto [first, last] = followed_.equal_range(volume_id);
    if (first == last) return;
    for (auto follower = first; follower != last; ++follower) {
      for (const CommittedBox& box : boxes) follower->second.frames.insert({box.box.t, box.box.c});
    }
  }
  changed_.notify_all();
}

void VolumeChanges::Remove(const std::string& volume_id) {
  {
    std::lock_guard lock(mutex_);
    const auto [first, last] = followed_.equal_range(volume_id);
    for (auto follower = first; follower != last; ++follower) follower->second.removed = true;
  }
  changed_.notify_all();
}

void VolumeChanges::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

}  // namespace deconvoy::server
