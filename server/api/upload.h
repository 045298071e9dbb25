// The inside of a Write call: chunks are added by the thread that reads them, and committed in groups by a second one,
// so that a caller who waits for each acknowledgement gets it soon and one who does not shares a sync between many.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "deconvoy/v1/volumes.pb.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {

// When a group is committed: at the first of these.
struct GroupRules {
  int64_t bytes = 8 << 20;                // so much has been added since the last one
  std::chrono::milliseconds pause{10};    // nothing has come for so long
  std::chrono::milliseconds oldest{100};  // the first chunk of the group has waited for so long
  int64_t most_bytes = 16 << 20;          // not durable yet, above which no more is taken
};

// One per call. Add and Finish by one thread.
class Upload {
 public:
  // Told after each commit how many chunks are durable, from the committing thread; the same number again when a commit
  // has failed, so that a caller who waits for it closes the stream. False when nobody listens any more, which does not
  // end the upload.
  using Acknowledge = std::function<bool(int64_t chunks)>;

  // `writer` must outlive the upload.
  Upload(VolumeWriter& writer, Acknowledge acknowledge, const GroupRules& rules = {});
  ~Upload();  // as Finish

  // Takes a chunk, also while those before are committed; waits where too much is not durable yet. The error of an
  // earlier commit, or of this chunk.
  absl::Status Add(const v1::Chunk& chunk);
  // Commits and acknowledges what is left. The first error of a commit.
  absl::Status Finish();

 private:
  void CommitGroups();
  bool GroupIsDue() const;  // REQUIRES: mutex_ is held

  // Constant.
  VolumeWriter& writer_;
  const Acknowledge acknowledge_;
  const GroupRules rules_;

  std::mutex mutex_;  // not held over I/O
  std::condition_variable changed_;
  // --- guarded by mutex_ ---
  int64_t waiting_chunks_ = 0;                         // added since the last commit began
  int64_t waiting_bytes_ = 0;                          // of them
  std::chrono::steady_clock::time_point first_added_;  // of the group
  std::chrono::steady_clock::time_point last_added_;
  bool finishing_ = false;
  absl::Status error_;

  std::thread committer_;
};

}  // namespace deconvoy::server
