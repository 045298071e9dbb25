// The boxes of a frame in step with the pieces in which a region of it is read. One thread at a time.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Holds the boxes that begin in the planes of one piece at a time.
class StoredBoxes {
 public:
  // `store` must outlive this.
  StoredBoxes(Store& store, std::string volume_id, const FrameBox& region);

  // The boxes that lie in the region as a whole and begin no later than the piece ends, in z,y,x order, each once: all
  // that have voxels in common with the piece are among them and those of the calls before. REQUIRES: pieces of the
  // region in z,y,x order.
  absl::StatusOr<std::vector<CommittedBox>> UpTo(const FrameBox& piece);

 private:
  Store& store_;
  const std::string volume_id_;
  const FrameBox region_;
  int64_t next_z_;  // boxes that begin before have been asked for
  std::deque<CommittedBox> waiting_;
};

}  // namespace deconvoy::server
