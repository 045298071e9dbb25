// Gives tasks to workers and takes their results: worker registry, leases, delivery.
//
// A lease is (task, worker, fencing token, deadline on the steady clock). Every Synchronize that names the task moves
// the deadline; a lease that misses it is lost and its task returns to the queue. Tokens come from the store and only
// rise, so a result under an older token is told from the current one, also across restarts. Promise: a task may run
// more than once, its result is committed once.
//
// Which task comes first is the policy's affair (policy.h); what owners spend on workers' time is charged to their
// accounts while it is computed (shares.h).
//
// Workers and leases live in memory only; what must survive is in the job manager and the store. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "deconvoy/v1/admin.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/capabilities.h"
#include "server/jobs/job_manager.h"
#include "server/observe/environment.h"
#include "server/schedule/input_check.h"
#include "server/schedule/policy.h"
#include "server/schedule/shares.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

class Dispatcher;

// One result on its way in: made by Dispatcher::BeginDelivery, used by one thread, must not outlive the dispatcher.
// Dropping it before Commit leaves the lease as it was; the worker may begin again.
class Delivery {
 public:
  // Takes the next bytes of the outputs (streaming workers only). Errors: STALE_LEASE, CHECKSUM_MISMATCH, INVALID_FIELD
  // (gap, too much, or the header said that they lie in the scratch file), DISK_FULL.
  absl::Status Write(const v1::OutputChunk& chunk);

  // Moves the outputs into their volumes and makes the task DONE. OK means committed, now or by an earlier delivery of
  // the same lease; another one that is just being committed is waited for. Errors: STALE_LEASE; INVALID_FIELD (bytes
  // missing, wrong kind of result) and CHECKSUM_MISMATCH, after which the attempt has failed; those of the disk, after
  // which it may be tried again.
  absl::Status Commit(const v1::TaskResult& result);

 private:
  friend class Dispatcher;
  Delivery(Dispatcher& dispatcher, TaskId task, uint64_t token)
      : dispatcher_(dispatcher), task_(std::move(task)), token_(token) {}

  Dispatcher& dispatcher_;
  const TaskId task_;
  const uint64_t token_;
  bool already_done_ = false;  // an earlier delivery of this lease was committed
  std::vector<v1::OutputPiece> outputs_;
  int64_t expected_bytes_ = 0;  // of all outputs
  int64_t received_bytes_ = 0;
  std::unique_ptr<File> scratch_;  // null when the worker wrote the scratch file itself
};

class Dispatcher {
 public:
  struct Options {
    absl::Duration lease = absl::Seconds(15);
    absl::Duration poll = absl::Seconds(10);        // how long an idle worker's call may wait
    absl::Duration busy_call = absl::Seconds(1);    // a busy worker is to call within this time
    absl::Duration keep_lost = absl::Hours(1);      // how long a lost worker stays listed
    absl::Duration tick = absl::Milliseconds(250);  // how often leases are checked; zero: only by Tick()
    std::string host;  // this machine's name as workers report it, to recognise WorkerExited; may be empty
    absl::Duration half_life = absl::Hours(24);  // in which half of what was spent is forgotten
    FairShare::Options shares = {};
  };
  // What an earlier run has left.
  struct Kept {
    std::vector<ShareRecord> shares = {};
    bool paused = false;
  };

  // The references must outlive the dispatcher. `share_of` may be empty: see FairShare.
  Dispatcher(const Options& options, Store& store, VolumeStore& volumes, JobManager& jobs, Capabilities& capabilities,
             Clock& clock, const Kept& kept, ShareOf share_of);
  ~Dispatcher();  // as Stop

  // --- for the Workers service ---
  // A worker is known by its name and its `account`, whose credential it shows: under another account it is one that
  // has not registered, and holds nothing.
  //
  // Takes the worker's report and answers what to do. Waits for work when the worker is idle; `gone` tells that nobody
  // waits for the answer any more. A newer call of the same worker ends the wait of an older one. Errors:
  // WORKER_REFUSED (contract version, self-test, a name that another account uses), INVALID_FIELD (malformed names),
  // SHUTTING_DOWN (to idle workers from Drain on, to all from Stop on).
  absl::StatusOr<v1::SynchronizeResponse> Synchronize(const v1::SynchronizeRequest& request, const std::string& account,
                                                      const std::function<bool()>& gone);
  // OK when the worker holds the task under this token and the task reads this volume. STALE_LEASE or NOT_FOUND else.
  absl::Status AuthoriseInput(const v1::FetchInputRequest& request, const std::string& account);
  absl::StatusOr<std::unique_ptr<Delivery>> BeginDelivery(const v1::DeliveryHeader& header, const std::string& account);

  // --- for the fleet ---
  // A worker process of this host has ended; its tasks return to the queue at once. By signal counts against the task.
  void WorkerExited(uint32_t process_id, bool by_signal);

  // --- for the Admin service ---
  // By name. Of the tasks that they hold those of `owner`, or all where it is empty.
  std::vector<v1::Worker> Workers(const std::string& owner = "");
  absl::StatusOr<v1::Worker> DrainWorker(const std::string& worker_name, bool drain);
  // Gives out no task, or goes on; what is computed goes on, what was not begun is taken back. Kept over restarts.
  absl::Status Pause(bool pause);
  bool paused() const;
  // What the owner has spent, decayed: what the fair share goes by.
  double RecentWorkerSeconds(const std::string& owner) const;
  // What the owner is entitled to.
  Share ShareOfOwner(const std::string& owner) const { return policy_.ShareOfOwner(owner); }

  // --- life ---
  // Gives out nothing any more; what runs may still finish. Idle workers are told SHUTTING_DOWN.
  void Drain();
  // Waits until no lease is left, at most `grace`. Whether none is left.
  bool WaitIdle(absl::Duration grace);
  // Ends all waiting calls; every further one is answered SHUTTING_DOWN.
  void Stop();
  // Takes back the leases that have missed their deadline, and forgets workers lost long ago.
  void Tick();

 private:
  friend class Delivery;
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct WorkerEntry {
    std::string account;
    v1::WorkerRegistration registration;  // without methods
    std::set<std::string> methods;        // names
    bool same_host = false;               // proved by the spool's nonce
    bool lost = false;
    bool drain = false;    // an administrator's wish
    bool leaving = false;  // its own
    uint64_t calls = 0;    // of Synchronize so far
    SteadyTime last_seen;
    absl::Time last_seen_wall;
    uint64_t tasks_done = 0;
    uint64_t tasks_failed = 0;
    std::string last_job;  // whose PSF and plans it has at hand; empty at first
  };
  struct Lease {
    TaskId id;
    std::string worker;
    uint64_t token = 0;
    SteadyTime deadline;
    v1::Task task;                    // as given out
    WaitingJob job;                   // whose task it is, as it was then
    v1::TaskStatus status;            // as last reported; before that, STAGED if its worker was busy
    bool busy = false;                // a thread is moving its result in, or handing it back: nobody else touches it
    std::optional<TaskFailure> over;  // it has ended without a result, for this reason, and is to be handed back
    bool stuck = false;               // could not be handed back, which has been said; it is tried again at every Tick
    std::optional<SteadyTime> computed_since;  // while its worker computes, which its owner pays for
    SteadyTime::duration computed{0};          // before that
  };
  // Reports of one Synchronize, sorted out.
  struct Reports {
    size_t held = 0;                     // tasks that it goes on with
    bool busy = false;                   // one of them it has still to compute
    std::vector<std::string> cancelled;  // tasks that it is to stop

    bool idle() const { return held == 0 && cancelled.empty(); }
  };

  // --- Synchronize, in steps (synchronize.cc) ---
  // The number of this call of the worker; 0 when it is not known and has not registered with it.
  absl::StatusOr<uint64_t> Enter(const v1::SynchronizeRequest& request, const std::string& worker,
                                 const std::string& account);
  // REQUIRES for the next two: mutex_ is held.
  absl::Status Register(const v1::WorkerRegistration& registration, const std::string& worker,
                        const std::string& account);
  bool IsKnown(const std::string& worker, const std::string& account) const;
  // Tells the capabilities what plans may count on: nothing of a worker that takes no work. REQUIRES: mutex_ is held.
  void Publish(const std::string& worker, const WorkerEntry& entry);
  Reports TakeReports(const v1::SynchronizeRequest& request, const std::string& worker);
  bool TakeReport(const v1::TaskStatus& status, const std::string& worker);
  absl::Status FindWork(const v1::SynchronizeRequest& request, const std::string& worker, uint64_t call,
                        const Reports& reports, const std::function<bool()>& gone, v1::SynchronizeResponse& response);
  absl::StatusOr<bool> WaitForWork(const std::string& worker, uint64_t call, uint64_t wakes, SteadyTime until,
                                   const std::function<bool()>& gone);

  // --- paying (spending.cc) ---
  // REQUIRES for the next three: mutex_ is held.
  // Charges the owner by what the lease's status says, from now on.
  void Charge(Lease& lease);
  void StopCharge(Lease& lease);
  void EraseLease(uint64_t token);  // its owner holds one less
  TaskSpending SpendingOf(const TaskId& task, uint64_t token);

  // --- giving out (assignment.cc) ---
  // `busy`: it has a task to compute already, and gets others only to have them ready (STAGED).
  void Assign(const std::string& worker, uint32_t slots, bool busy, v1::SynchronizeResponse& response);
  absl::StatusOr<bool> AssignOne(const std::string& worker, bool busy, v1::SynchronizeResponse& response);
  // The job's next task for this worker, if its owner may have one more; counts it as held. Nothing else.
  absl::StatusOr<std::optional<v1::Task>> LeaseFor(const WaitingJob& job, const std::string& worker, bool spare);
  // Those of `waiting` that this worker can compute, the one that it is to serve first in front.
  std::vector<WaitingJob> RankFor(const std::string& worker, const std::vector<WaitingJob>& waiting) const;
  // The ids of all that wait, ranked alike, but for what makes one worker differ from another; then of those whose
  // owner may have no more tasks for now.
  std::vector<std::string> JobsInOrder() const;
  // Takes back what this worker has not begun where an INTERACTIVE job could have its place. Whether it did.
  bool YieldToUrgent(const std::string& worker, v1::SynchronizeResponse& response);
  // Where the check of the job's inputs has found an error, the task fails with it instead.
  absl::Status GiveOut(v1::Task task, const WaitingJob& job, const std::string& worker, bool busy,
                       const absl::Status& inputs, v1::SynchronizeResponse& response);
  // Takes a STAGED task that this idle worker could compute, and has not failed last, from the worker that holds it.
  // With `interactive`, only one of an INTERACTIVE job. False when there is none.
  bool TakeFromAnother(const std::string& worker, bool interactive);
  // Takes back all STAGED tasks of this worker; of every worker where it is empty.
  void TakeBackStaged(const std::string& worker);
  // REQUIRES for the next seven: mutex_ is held.
  static bool TakesWork(const WorkerEntry& worker);
  bool MayWork(const WorkerEntry& worker) const;
  bool Suits(const WorkerEntry& worker, const WaitingJob& job) const;
  bool AnotherSuits(const std::string& worker, const WaitingJob& job) const;
  bool LeavesEnough(const std::string& worker, const WaitingJob& job, const std::vector<WaitingJob>& waiting) const;
  // Puts first, of the jobs as urgent as the first, one that only this worker has the memory for, if others can do the
  // first.
  void PreferLarge(const WorkerEntry& worker, std::vector<WaitingJob>& ranked) const;
  static bool CanBeTaken(const Lease& lease);

  // --- delivery (delivery.cc) ---
  // Makes the lease busy; false when the task has been delivered under it before.
  absl::StatusOr<bool> StartCommit(const TaskId& task, uint64_t token);
  void EndCommit(const TaskId& task, uint64_t token, const absl::Status& status);
  absl::StatusOr<std::vector<uint32_t>> MoveOutputs(const Delivery& delivery, const v1::TaskResult& result);
  absl::Status CommitHeld(const Delivery& delivery, const v1::TaskResult& result);

  // --- ends of leases (dispatcher.cc) ---
  Lease* FindLease(const TaskId& task, uint64_t token);  // REQUIRES: mutex_ is held
  // Returns the task of a lease that is over to the job manager and forgets it; tried again by Tick where the store
  // fails.
  void HandBack(const TaskId& task, uint64_t token);

  // REQUIRES: mutex_ is held.
  v1::Worker Describe(const std::string& worker, const WorkerEntry& entry, const std::string& owner) const;
  void Wake();
  void RunTicks();

  // Constant.
  const Options options_;
  Store& store_;
  VolumeStore& volumes_;
  JobManager& jobs_;
  Capabilities& capabilities_;
  Clock& clock_;

  // With locks of their own, which may be taken under mutex_.
  Shares shares_;
  FairShare policy_;

  std::mutex pausing_;  // makes calls of Pause take turns; taken before mutex_, held over I/O

  // Guards what follows. Never held over I/O or a step of a job; the job manager's own mutex may be taken under it.
  mutable std::mutex mutex_;
  std::condition_variable changed_;             // notified when wakes_ rises
  uint64_t wakes_ = 0;                          // rises when work may be ready, a lease has ended, or life goes on
  std::map<std::string, WorkerEntry> workers_;  // registered, by id
  std::map<uint64_t, Lease> leases_;            // by token: a task may have a new one before the old one is cleared
  bool draining_ = false;
  bool paused_ = false;
  bool stopped_ = false;

  InputCheck inputs_;
  std::thread ticker_;  // only touched by constructor and Stop
};

}  // namespace deconvoy::server
