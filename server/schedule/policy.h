// In which order waiting jobs are served: fair shares.
//
// First by class, INTERACTIVE before NORMAL before BATCH; then by group, then by user within the group, each time who
// has spent least for their weight (shares.h); then first in, first out. A user without a group stands beside the
// groups, with their own weight. Users who hold as many tasks as they may are left out.
//
// No class starves. While tasks of more urgent classes are given out, a class that waits saves up a small share of the
// time that they are expected to take; once it has saved up one of its own tasks, and half a minute at least, that
// one goes first. What a class gets is taken off its savings, so that it jumps ahead only where it would get less than
// that share.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "server/jobs/job_manager.h"
#include "server/schedule/shares.h"

namespace deconvoy::server {

// What an owner is entitled to.
struct Share {
  double weight = 1;        // within the group; above 0
  std::string group = {};   // empty: none
  double group_weight = 1;  // of the group among groups, the same for all that are in it; above 0
  int64_t running_cap = 0;  // tasks that workers may hold at once; 0: the usual bound
};

// Tells it of every owner, also of those that are not known. Called from any thread, without a lock of the scheduler's.
using ShareOf = std::function<Share(const std::string& owner)>;

// Thread safe; no call blocks.
class FairShare {
 public:
  using SteadyTime = Shares::SteadyTime;

  struct Options {
    double lower_class_share = 0.05;  // of the time, from 0 to below 1: what a class gets beside more urgent ones
    int64_t running_cap = 0;          // of owners without one of their own; 0: none
  };

  // `shares` must outlive it. Without `share_of` all weigh 1 and have no group.
  FairShare(const Options& options, const Shares& shares, ShareOf share_of = {});

  Share ShareOfOwner(const std::string& owner) const { return share_of_(owner); }
  // How many tasks of this owner workers may hold at once; 0: any number.
  int64_t RunningCap(const std::string& owner) const;

  // Puts the job to be served first in front, and leaves out those of owners at their cap. `last_job` (may be empty) is
  // what the worker has at hand: among equals, which differ by less than one of its tasks, it comes first. Of its
  // owner's jobs it must be the first.
  void Rank(std::vector<WaitingJob>& jobs, SteadyTime now, const std::string& last_job) const;

  // A task of `given` was given out, while those of `waiting` could have been. For the savings of classes.
  void NoteGiven(const WaitingJob& given, const std::vector<WaitingJob>& waiting);

 private:
  static constexpr size_t kClasses = 4;  // the enumeration's values are the indices

  // A class that has saved up enough for a task; none: 0.
  int SavedUp(const std::vector<WaitingJob>& jobs) const;

  // Constant.
  const Options options_;
  const Shares& shares_;
  const ShareOf share_of_;

  mutable std::mutex mutex_;
  std::array<double, kClasses> saved_seconds_ = {};  // by class; guarded by mutex_
};

}  // namespace deconvoy::server
