// The inside of a Deconvolve call: one thread reads what is recorded, one commits it (Upload), one watches the job, and
// the call's own one writes all that goes back, the most urgent first.
//
// Memory is bounded: of acknowledgements and progress only the newest is kept; boxes of the result are read from the
// spool when their turn comes, one chunk at a time. A caller who reads slowly gets less progress and later results, and
// delays neither the writing nor anybody else.
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "deconvoy/v1/deconvolution.pb.h"
#include "server/api/deconvolve_stream.h"
#include "server/api/live_session.h"
#include "server/api/received_boxes.h"
#include "server/api/upload.h"
#include "server/schedule/server_core.h"

namespace deconvoy::server {

// Calls that are open, by owner and session: a newer one of the same session ends the older. Thread safe.
class OpenSessions {
 public:
  using Key = std::pair<std::string, std::string>;
  // Tells later calls from earlier ones; taken when a call comes, since opening its session may take a while.
  uint64_t Arrive() { return ++arrived_; }
  // `end` ends the call, from the thread of a newer one. False, without effect, where a newer one is open already.
  bool Enter(const Key& key, uint64_t arrival, const void* call, std::function<void()> end);
  // After this `end` is not called any more.
  void Leave(const Key& key, const void* call);

 private:
  struct Entry {
    uint64_t arrival = 0;
    const void* call = nullptr;
    std::function<void()> end;
  };
  std::atomic<uint64_t> arrived_ = 0;
  std::mutex mutex_;
  std::map<Key, Entry> open_;  // guarded by mutex_
};

// How a call ends whose session another one has taken up: ABORTED.
absl::Status TakenOver();

class DeconvolveCall {
 public:
  // All must outlive the call.
  DeconvolveCall(DeconvolveStream& stream, ServerCore& core, std::string owner, const v1::DeconvolveHeader& header,
                 LiveSession session);

  // Works until the job has ended and all is sent, the caller has closed its side early, or something breaks. Close the
  // stream with the status, then call Join.
  absl::Status Serve();
  // Another call has taken up the session: Serve ends with ABORTED. From any thread, until Serve has returned. `cancel`
  // is called where the caller does not take what is being sent.
  void TakeOver(std::function<void()> cancel);
  // Waits for the threads. What had come in is durable then.
  void Join();

 private:
  // --- reading ---
  void ReadInput();
  absl::Status TakeChunk(v1::Chunk& chunk);
  absl::Status TakeFinish(const v1::FinishInput& finish);
  // --- watching ---
  void WatchJob();
  // --- writing; each returns whether there was something to write ---
  absl::Status Opened();
  absl::StatusOr<bool> WriteUrgent();
  absl::StatusOr<bool> WriteAcknowledgement();
  absl::StatusOr<bool> WriteFinding();
  absl::StatusOr<bool> WriteProgress();
  absl::StatusOr<bool> WriteBacklog();
  absl::StatusOr<bool> WriteResult();
  absl::Status FindResults();
  absl::Status WriteBox(const v1::Box& box);
  // The caller has all of the result.
  void NoteFetched();
  absl::Status Send(const v1::DeconvolveResponse& message);
  // Why nothing can be sent any more.
  absl::Status Gone();
  // The call's status when it is over, all urgent things being written.
  std::optional<absl::Status> Over();
  uint64_t PlaceOf(const v1::Box& box) const;

  DeconvolveStream& stream_;
  VolumeStore& volumes_;
  Store& store_;
  JobManager& jobs_;
  UsageMeter& usage_;
  const std::string owner_;
  const LiveSession session_;
  const bool wants_results_;

  // The reading thread's.
  std::unique_ptr<VolumeWriter> writer_;
  std::unique_ptr<Upload> upload_;

  // The writing thread's.
  int64_t told_chunks_ = 0;
  bool backlog_is_old_ = true;
  std::string told_backlog_;
  v1::Shape5 result_shape_;
  ReceivedBoxes received_;              // that the caller had before
  std::unordered_set<uint64_t> known_;  // boxes found in this call, by the place of their first voxel
  size_t looked_at_ = 0;                // finished boxes that the job manager has told
  std::deque<v1::Box> to_send_;
  bool all_found_ = false;  // the job has ended, and its last boxes are in to_send_

  std::mutex mutex_;
  std::condition_variable changed_;
  // --- guarded by mutex_ ---
  int64_t durable_chunks_ = 0;
  std::deque<v1::Finding> findings_;
  std::optional<v1::JobProgress> progress_;  // newest that is not told yet
  bool news_ = true;                         // results may be there
  std::optional<v1::Job> ended_;
  bool input_over_ = false;  // nothing more comes in, and what came is durable
  bool finished_ = false;    // `finish` was taken, or the volume had been complete before
  absl::Status input_status_, watch_status_;
  bool leaving_ = false, taken_over_ = false;

  std::thread reader_, watcher_;
};

}  // namespace deconvoy::server
