// Who waits for boxes that become durable in a volume, and what has become so meanwhile.
//
// No I/O. Thread safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/store/store.h"

namespace deconvoy::server {

class VolumeChanges {
 public:
  using Frame = std::pair<int64_t, int64_t>;  // t, c

  struct News {
    std::set<Frame> frames;  // that have got boxes
    bool removed = false;    // the volume has gone
    bool stopped = false;    // by Stop; stays so

    bool any() const { return !frames.empty() || removed || stopped; }
  };

  // One who waits for a volume, from its construction on. Used by one thread. Must not outlive the changes.
  class Follower {
   public:
    Follower(VolumeChanges& changes, const std::string& volume_id);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    // What there is since the last call, or since the construction; waits for it, at most so long.
    News Wait(std::chrono::milliseconds longest);

   private:
    VolumeChanges& changes_;
    std::multimap<std::string, News>::iterator place_;
  };

  // These boxes are durable now, and recorded.
  void Commit(const std::string& volume_id, const std::vector<CommittedBox>& boxes);
  // The volume's record is not there any more.
  void Remove(const std::string& volume_id);
  // Wakes everybody, for good.
  void Stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  // --- guarded by mutex_ ---
  std::multimap<std::string, News> followed_;  // by volume, what its followers have not been told yet
  bool stopped_ = false;
};

}  // namespace deconvoy::server
