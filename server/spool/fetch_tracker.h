// Remembers which planes of results have been sent to their owner, to tell when all of a result has been fetched.
// In memory: after a restart of the server a result that was fetched in part counts as not fetched. Thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::server {

class FetchTracker {
 public:
  // `volumes` are remembered at once; the one noted longest ago is forgotten first.
  explicit FetchTracker(size_t volumes = 64) : most_volumes_(volumes) {}

  // A box has been sent, after all others of its planes that come before it. Whether that was the last that lacked;
  // then the volume is forgotten. Boxes that do not end their planes do not count. REQUIRES: it is of a region of whole
  // planes.
  bool Sent(const std::string& volume_id, const Shape5& shape, const FrameBox& box);

 private:
  struct Planes {
    std::string volume_id;
    std::vector<bool> sent;  // t,c,z order
    int64_t missing = 0;
  };

  const size_t most_volumes_;
  std::mutex mutex_;
  std::list<Planes> volumes_;  // guarded by mutex_; the one noted last is first
};

}  // namespace deconvoy::server
