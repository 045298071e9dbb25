// What owners have spent of the workers' time: the ledger behind fair shares.
//
// An account grows by a second for every second that a worker computes for its owner, while it computes and not only
// when it has done so, and fades by half in every half-life. An owner also holds tasks that are still to be computed or
// are just being computed; they count as much as tasks of that owner and class have taken so far.
//
// Times are of the steady clock, so that nothing changes when the clock is set. While no server runs, nothing fades.
// In memory; what is to survive is written with each task that is done (`Record`). Thread safe; no call blocks.
#pragma once

#include <absl/time/time.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "server/store/store.h"

namespace deconvoy::server {

class Shares {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // `kept` is what an earlier run has written. REQUIRES: half_life > 0.
  Shares(absl::Duration half_life, SteadyTime now, const std::vector<ShareRecord>& kept);

  // --- what happens to a task ---
  // A worker gets it. False, without effect, where the owner holds `cap` tasks already; 0 is no bound.
  bool Hold(const std::string& owner, v1::JobClass job_class, int64_t cap);
  // No worker has it any more, however it ended.
  void Release(const std::string& owner, v1::JobClass job_class);
  // It is computed from now on; until now.
  void Begin(const std::string& owner, SteadyTime now);
  void End(const std::string& owner, SteadyTime now);
  // One of this class was done and had taken so long.
  void Learn(const std::string& owner, v1::JobClass job_class, absl::Duration took);

  // --- accounts ---
  struct Account {
    double spent_seconds = 0;    // decayed
    double pending_seconds = 0;  // of the tasks that are held, as expected
    int64_t held = 0;            // tasks
  };
  // Of all owners that have spent or hold anything.
  std::map<std::string, Account> Accounts(SteadyTime now) const;
  double SpentSeconds(const std::string& owner, SteadyTime now) const;
  // What a task of this owner and class takes, as far as is known.
  double ExpectedSeconds(const std::string& owner, v1::JobClass job_class) const;
  // What to keep of the owner's account.
  ShareRecord Record(const std::string& owner, SteadyTime now) const;

 private:
  static constexpr size_t kClasses = 4;  // the enumeration's values are the indices
  struct Entry {
    double spent_seconds = 0;  // at `settled`
    SteadyTime settled;
    int64_t running = 0;  // tasks that are computed
    std::array<int64_t, kClasses> held = {};
    std::array<double, kClasses> expected_seconds = {};  // of one task; 0 if none was done yet
  };

  // REQUIRES for these: mutex_ is held.
  double SpentAt(const Entry& entry, SteadyTime now) const;
  Entry& Settle(const std::string& owner, SteadyTime now);
  double Expected(const Entry& entry, size_t job_class) const;

  // Constant.
  const double half_life_seconds_;
  const SteadyTime start_;
  const int64_t ran_before_ms_;

  mutable std::mutex mutex_;
  mutable std::map<std::string, Entry> entries_;        // guarded by mutex_; those that have faded go
  std::array<double, kClasses> expected_seconds_ = {};  // over all owners; guarded by mutex_
};

}  // namespace deconvoy::server
