// What one user may do at once and how often, so that nobody keeps the others out.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "deconvoy/v1/admin.pb.h"
#include "server/observe/environment.h"

namespace deconvoy::server {

// Counts open calls, of all users and of each, and how fast each makes them. A user gets `calls_per_second` on average
// and twice as many after a second's rest. Thread safe.
class UserLimits {
 public:
  struct Options {
    int64_t open_calls = 256;      // of all users
    int64_t open_calls_each = 0;   // of one user; 0: as many as of all
    int64_t calls_per_second = 0;  // of one user; 0: as many as they like
    int64_t admin_calls = 0;       // of all administrators, whatever else is open
  };

  // `clock` must outlive the limits.
  UserLimits(const Options& options, const Clock& clock) : options_(options), clock_(clock) {}

  // Counts a call that begins, whatever comes out of it: every Enter needs its Leave, with the same `role`.
  // TOO_MANY_STREAMS with the limit, TOO_MANY_CALLS with `retry_after_ms`; the call is then to be refused.
  absl::Status Enter(const std::string& user, v1::Role role);
  void Leave(const std::string& user, v1::Role role);

 private:
  struct Use {
    int64_t open = 0;
    double credit = 0;  // calls that may be made at once
    std::chrono::steady_clock::time_point counted;
  };

  absl::Status CheckRate(Use& use) const;
  // Forgets users without open calls whose credit is full again. REQUIRES: mutex_ is held.
  void Forget();

  const Options options_;
  const Clock& clock_;
  std::mutex mutex_;
  int64_t open_ = 0;                 // guarded by mutex_, as is what follows
  int64_t admins_open_ = 0;          // of these
  std::map<std::string, Use> uses_;  // by user
  size_t forget_at_ = 64;            // users, when Forget is worth its while
};

}  // namespace deconvoy::server
