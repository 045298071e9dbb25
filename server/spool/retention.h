// Which volumes the server removes by itself, and the thread that does it.
//
// A volume rests while no job that has not ended uses it and no PSF keeps it. By age it goes when it has rested, since
// it was last used, for the days of its kind. Above the high-water mark volumes go before their time: results that were
// fetched first, then uploads, those that were used longest ago first, until the disk is below the mark again. Results
// that nobody has fetched go by their age only.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "server/observe/environment.h"
#include "server/spool/file_system.h"
#include "server/store/store.h"

namespace deconvoy::server {

class VolumeStore;

// 0 switches a rule off.
struct RetentionRules {
  absl::Duration result = absl::ZeroDuration();   // of results that were not fetched
  absl::Duration fetched = absl::ZeroDuration();  // of results that were
  absl::Duration upload = absl::ZeroDuration();
  int64_t high_water_percent = 0;  // of the spool's disk, in use by whomever

  bool any() const;
  absl::Duration Of(VolumeKind kind) const;
};

VolumeKind KindOf(const VolumeRecord& volume);

// When the volume goes by its age; nothing when no rule says so. Whether it rests is not looked at.
std::optional<absl::Time> ExpiryOf(const VolumeRecord& volume, const RetentionRules& rules);

// Age is measured so that a clock set wrongly removes nothing early: by age nothing goes within the first hour of the
// server, in which clocks are set, and after that only time counts that both clocks agree has passed since then.
// Thread safe.
class Sweeper {
 public:
  struct Options {
    RetentionRules rules;
    std::filesystem::path directory;                // on the disk of the high-water mark
    std::chrono::seconds interval{60};              // between sweeps; 0: only by Sweep()
    absl::Duration settle = absl::Hours(1);         // after the start, before anything goes by age
    absl::Duration least_rest = absl::Minutes(30);  // before anything goes at the high-water mark
  };
  // The arguments must outlive the sweeper.
  Sweeper(const Options& options, Store& store, VolumeStore& volumes, FileSystem& files, Clock& clock);
  ~Sweeper();  // as Stop

  // Removes what is due now. What cannot be removed is logged and stays.
  void Sweep();
  void Stop();

 private:
  absl::Time Now() const;
  void SweepByAge();
  void SweepAtHighWater();
  // Whether so much was removed that `enough` says so, or nothing was left.
  template <typename Enough>
  void RemoveIdle(VolumeKind kind, absl::Time before, std::string_view why, const Enough& enough);
  bool AboveHighWater() const;
  void Run();

  const Options options_;
  Store& store_;
  VolumeStore& volumes_;
  FileSystem& files_;
  Clock& clock_;
  const absl::Time start_wall_;
  const std::chrono::steady_clock::time_point start_steady_;

  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;    // only touched by constructor and Stop
};

}  // namespace deconvoy::server
