// Counts the bytes that users move, which are too many to be recorded one by one.
//
// What is counted is recorded some seconds later, and at the end. A server that is killed forgets what it has counted
// since; what workers spend is not counted here, but recorded with each task. Thread safe.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "server/observe/environment.h"
#include "server/store/store.h"

namespace deconvoy::server {

class UsageMeter {
 public:
  // The arguments must outlive the meter.
  UsageMeter(Store& store, Clock& clock) : store_(store), clock_(clock), recorded_(clock.Steady()) {}
  ~UsageMeter();  // as Flush

  // Counts bytes of voxels; records what has been counted when that was last done some seconds ago. Where the store
  // fails, it is logged and tried again with a later call.
  void Add(const std::string& owner, int64_t bytes_in, int64_t bytes_out);

  // Records what has been counted. Errors of the store; then it stays counted.
  absl::Status Flush();

 private:
  using OwnerAndMonth = std::pair<std::string, std::string>;

  Store& store_;
  Clock& clock_;

  std::mutex mutex_;                                // not held over I/O
  std::map<OwnerAndMonth, UsageRecord> counted_;    // guarded by mutex_
  std::chrono::steady_clock::time_point recorded_;  // when that was done, or tried, last; guarded by mutex_
};

}  // namespace deconvoy::server
