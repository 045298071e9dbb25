// Whether the stored bytes of what a job reads are still those that were stored, before its tasks are given out.
//
// Each job's volumes are compared with their checksums once in a run of the server, whoever will read them: workers
// that see the spool read files without checksums. Little is compared while the caller waits; more by a thread of its
// own, one job after the other. No lock is held meanwhile. Thread safe.
#pragma once

#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

class InputCheck {
 public:
  // `wake` hears, from any thread, whenever a job has been checked that somebody waits for; it must not call back. The
  // arguments must outlive this.
  InputCheck(Store& store, VolumeStore& volumes, std::function<void()> wake);
  ~InputCheck();  // as Stop

  // What the check of a job's volumes has found: OK, CORRUPT_DATA, or whatever kept them from being read, which is told
  // once, and checked again when asked for again. Nothing while it is under way; the first call of a job starts it.
  std::optional<absl::Status> Ask(const std::string& job_id);

  // Breaks off what is under way. What has not been checked stays so.
  void Stop();

 private:
  absl::Status Check(const std::string& job_id, const std::stop_token& stop);
  absl::StatusOr<int64_t> BytesToRead(const std::string& job_id);
  void Run(const std::stop_token& stop);

  Store& store_;
  VolumeStore& volumes_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // --- guarded by mutex_ ---
  std::map<std::string, std::optional<absl::Status>> known_;  // by job; nothing: under way
  std::deque<std::string> waiting_;                           // jobs that the thread is to check
  std::set<std::string> awaited_;                             // that are under way, and were asked for meanwhile

  std::jthread thread_;  // last: it uses the rest
};

}  // namespace deconvoy::server
