// Hands the news of volumes that are being written to the jobs that wait for them: on a thread of its own, so that no
// writer waits for a job.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proto/contract/geometry.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {

// What has become of one upload, in the order in which it happened.
struct InputNews {
  std::string volume_id;
  std::vector<FrameBox> boxes = {};  // that became durable
  bool complete = false;
  absl::Status refused = {};  // not OK: it does not have its digest
};

// Thread safe.
class InputWatcher final : public VolumeListener {
 public:
  // `take` is called for one piece of news at a time, until the destructor has begun: while it returns false with the
  // same one, each time after `pause`.
  explicit InputWatcher(std::function<bool(const InputNews&)> take,
                        std::chrono::milliseconds pause = std::chrono::seconds(1));
  ~InputWatcher() override;

  // Only news of volumes that are followed are handed on. Each Follow is for one job, and taken back by one Forget.
  void Follow(const std::string& volume_id);
  void Forget(const std::string& volume_id);

  // Hands on that there may be something to do, without anything new.
  void LookAgain(const std::string& volume_id);

  // Waits until all news so far have been taken. Not from `take`.
  void Settle();

  void BoxesCommitted(const std::string& volume_id, const std::vector<CommittedBox>& boxes) override;
  void Completed(const std::string& volume_id) override;
  void DigestMismatched(const std::string& volume_id, const absl::Status& error) override;

 private:
  // Queues the news that `make` returns if the volume is followed.
  template <typename Make>
  void Add(const std::string& volume_id, const Make& make);
  void Run();

  const std::function<bool(const InputNews&)> take_;
  const std::chrono::milliseconds pause_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> followed_;  // guarded by mutex_, as the three below
  std::deque<InputNews> news_;
  bool taking_ = false;
  bool stopping_ = false;
  std::thread thread_;  // only touched by constructor and destructor
};

}  // namespace deconvoy::server
