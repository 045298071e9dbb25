// Jobs and their tasks: accepts them, keeps them durable, moves them through their states, tells watchers.
//
// It is the authority on what state a job or task is in; who runs a task, and until when, is the dispatcher's affair
// (server/schedule). Each step of a job's life is planned on the state in memory, applied to the store in one
// transaction, and only then taken over into memory, so that a crash at any instant leaves either the step before or
// the step after.
//
// Thread safe. Owners see only their own jobs and volumes; anything else is NOT_FOUND. Errors of the store
// (STORAGE_FAILURE, DISK_FULL) can come from every call and leave the state unchanged.
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
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/resource_name.h"
#include "server/jobs/capabilities.h"
#include "server/jobs/file_roots.h"
#include "server/jobs/input_watcher.h"
#include "server/jobs/outcome.h"
#include "server/jobs/preflight.h"
#include "server/observe/environment.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

class JobStep;
class LiveJob;

// A job that has at least one task to give out, and what a worker must bring for it.
struct WaitingJob {
  std::string id;
  std::string owner;
  absl::Time create_time;
  std::string method = {};              // empty: none is needed
  std::string backend = {};             // empty: any
  int64_t memory_bytes = 0;             // of one task
  int64_t tasks = 1;                    // that can be given out now
  v1::JobClass job_class = v1::NORMAL;  // INTERACTIVE, NORMAL or BATCH
  bool same_host = false;               // it is for workers on the server's machine
};

// What a task that was done has cost.
struct TaskSpending {
  absl::Duration worker_time = absl::ZeroDuration();  // that its worker has computed
  std::optional<ShareRecord> share = {};              // the owner's account after it, to be kept
};

class JobManager {
 public:
  // Loads the jobs that have not ended. Tasks that were leased return to the queue and count as lost. The arguments
  // must outlive the manager. `roots` are what imports and exports may use.
  static absl::StatusOr<std::unique_ptr<JobManager>> Open(const RetryRules& rules, Store& store, VolumeStore& volumes,
                                                          Capabilities& capabilities, Clock& clock, IdSource& ids,
                                                          FileRoots roots = {});
  ~JobManager();

  // --- for users: server/api ---
  absl::StatusOr<v1::Job> Submit(const std::string& owner, const v1::SubmitJobRequest& request);
  // Refusals are findings of the report, not errors.
  absl::StatusOr<v1::PreflightReport> Preflight(const std::string& owner, const v1::JobSpec& spec);
  absl::StatusOr<v1::Job> Get(const std::string& owner, const std::string& job_id);
  absl::StatusOr<v1::ListJobsResponse> List(const std::string& owner, const v1::ListJobsRequest& request);
  absl::StatusOr<v1::Job> Cancel(const std::string& owner, const std::string& job_id);
  // Keeps the job's further tasks back, or gives them out again; what runs goes on, and may end the job. Doing it again
  // changes nothing. JOB_ENDED for a job that has ended.
  absl::StatusOr<v1::Job> Pause(const std::string& owner, const std::string& job_id);
  absl::StatusOr<v1::Job> Resume(const std::string& owner, const std::string& job_id);
  absl::Status Delete(const std::string& owner, const std::string& job_id);
  // The preview of channel `c` as far as there is one.
  absl::StatusOr<v1::Preview> GetPreview(const std::string& owner, const std::string& job_id, uint32_t c);

  // Sends the job's kept events above `after_sequence` (the last one, `ended`, in any case), then new ones and progress
  // as they come, until `ended` was sent (OK), `send` returns false (OK), `gone` returns true (CANCELLED), or Stop
  // (UNAVAILABLE). Blocks the calling thread. `send` is called without any lock, so that a slow watcher delays nobody;
  // progress that it had no time for is skipped.
  absl::Status Watch(const std::string& owner, const std::string& job_id, uint64_t after_sequence,
                     const std::function<bool(const v1::JobEvent&)>& send, const std::function<bool()>& gone);

  // How far a deconvolution is: for a caller who brings the input and takes the result box by box.
  struct Stand {
    std::vector<v1::Box> finished;  // boxes of `estimate` that became durable after the first `known` ones, in order
    bool ended = false;             // then `finished` is empty, and all boxes are durable if it has SUCCEEDED
    double done_fraction = 0;       // of the result's voxels
    double result_gigavoxels = 0;
    double seconds_per_gigavoxel = 0;  // of the result, by the last task; 0 if not known
  };
  absl::StatusOr<Stand> StandOf(const std::string& owner, const std::string& job_id, size_t known);

  // Waits until what uploads have committed so far has been taken into account, which else happens soon after.
  void SettleInput() { watcher_->Settle(); }

  // Ends all watchers. Further calls of Watch answer UNAVAILABLE.
  void Stop();

  // --- for the dispatcher: server/schedule ---
  // Called whenever a task may have become ready, from any thread, also from those of the manager; must not call back.
  // Set before the first job runs. Once null is set no call is under way any more.
  void SetReadyListener(std::function<void()> listener);

  // Jobs with a task whose time has come, in no particular order.
  std::vector<WaitingJob> Waiting();
  // When the earliest task that is backing off becomes ready; nullopt if there is none.
  std::optional<std::chrono::steady_clock::time_point> NextDue();

  // Gives the job's first ready task to `worker` under a new token: what it is and does, without paths and lease time.
  // With `spare`, a task that this very worker has failed is left for another. Nothing if there is none to give, or no
  // room for its outputs or its record: then the whole job backs off, and says so in its activity.
  absl::StatusOr<std::optional<v1::Task>> Lease(const std::string& job_id, const std::string& worker, bool spare);
  // Whether the task is leased under exactly this token. Does not wait for a step that is under way.
  bool Holds(const TaskId& task, uint64_t token);
  // Whether the job's further tasks are kept back. Does not wait for a step either.
  bool IsPaused(const std::string& job_id);
  // Also of one that is not known. Does not wait for a step either.
  bool HasEnded(const std::string& job_id);
  // The worker that failed the task last, or lost it; empty where none has. Does not wait for a step either.
  std::string FailedBy(const TaskId& task);
  // Takes note of what a worker says of a task it holds; ignored when it does not hold it.
  void Report(const TaskId& task, const v1::TaskStatus& status);

  enum class Completion { kPending, kDone };
  // Whether the lease may deliver (kPending) or has delivered already (kDone). STALE_LEASE otherwise. Waits for a step
  // that is under way.
  absl::StatusOr<Completion> CheckDelivery(const TaskId& task, uint64_t token);
  // Makes the task DONE, with its boxes committed, in one transaction, together with all that follows: the tile tasks
  // after an analysis, the end of the job after its last task; and adds what it has cost to its owner's usage. OK
  // without effect when this lease has delivered before.
  // Errors: STALE_LEASE; INVALID_FIELD when the result is not one of this task.
  absl::Status Complete(const TaskId& task, uint64_t token, const v1::TaskResult& result,
                        const std::vector<uint32_t>& box_crc32c, const TaskSpending& spending);
  // Takes the task back: READY again after a backoff, or the end of the job by the rules (see TakeFailure). OK without
  // effect when the lease is not the task's any more.
  absl::Status Fail(const TaskId& task, uint64_t token, const TaskFailure& failure);

  struct Counts {
    int64_t ready = 0;
    int64_t leased = 0;
  };
  Counts CountTasks();

  // The folders for files that the owner may use.
  std::vector<v1::FileRoot> FileRootsOf(const std::string& owner) const { return roots_.UsableBy(owner); }
  // Whether users can be allowed folders of these names: see FileRoots::CheckNames.
  absl::Status CheckFileRoots(const std::vector<std::string>& names, const std::string& field) const {
    return roots_.CheckNames(names, field);
  }

 private:
  JobManager(const RetryRules& rules, Store& store, VolumeStore& volumes, Capabilities& capabilities, Clock& clock,
             IdSource& ids, FileRoots roots);

  // --- opening ---
  absl::Status Recover();
  absl::Status RecoverJob(JobRecord record);
  absl::StatusOr<std::map<std::string, v1::VolumeSpec>> VolumesOf(const v1::Job& job, absl::Status& missing);

  // --- inputs that are still being written (input.cc) ---
  // Lets the job follow its input from what is there now. REQUIRES: the job's turn is held, and it is in live_.
  absl::Status FollowInput(LiveJob& job);
  void ForgetInput(const LiveJob& job);
  // Whether it has come to all jobs; false where the store has failed, so that it is to be tried again.
  bool TakeNews(const InputNews& news);
  absl::Status TakeNewsFor(LiveJob& job, const InputNews& news);
  // Plans and applies what follows from the input that is there. REQUIRES: the job's turn is held.
  absl::Status TakeInputOf(LiveJob& job, const Frames& frames);
  // The same for a job that has just been stored, of what is there already. Where the store fails it is made up for.
  void TakeFirstInput(LiveJob& job);

  // --- submitting ---
  absl::StatusOr<v1::Job> Accept(const std::string& owner, const v1::SubmitJobRequest& request,
                                 const std::string& digest, Examination examination);
  absl::Status Insert(const JobChange& first, const v1::SubmitJobRequest& request, const std::string& digest);
  double QueuedWork();

  // --- imports (import.cc) ---
  // Finds the volume that an import's file holds, or makes the file of a new one, for which `hold` keeps the room until
  // the step is stored. Errors are those of the store, after which nothing is left. REQUIRES: the job's turn is held.
  absl::StatusOr<ImportDecision> DecideImport(const LiveJob& job, const v1::LookAtFileResult& found,
                                              std::optional<Quotas::Hold>& hold);

  // --- showing ---
  // As users see it, with what a job waits for that no worker can take. REQUIRES: mutex_ is held.
  v1::Job Show(const LiveJob& job) const;
  v1::JobProgress ProgressOf(const LiveJob& job) const;

  // --- pausing ---
  absl::StatusOr<v1::Job> SetPaused(const std::string& owner, const std::string& job_id, bool paused);

  // --- finding ---
  std::shared_ptr<LiveJob> FindLive(const std::string& job_id);
  static absl::Status JobNotFound(const std::string& job_id);
  absl::StatusOr<JobRecord> FindStored(const std::string& owner, const std::string& job_id);
  // REQUIRES: the job's turn is held.
  absl::StatusOr<Completion> CheckLive(const LiveJob& job, const TaskId& task, uint64_t token);
  absl::StatusOr<Completion> CheckStored(const TaskId& task, uint64_t token);

  // Gives this task to the worker, with the way to its `file` where it has one. DISK_FULL, before anything is changed,
  // when the spool has no room for its outputs. REQUIRES: the job's turn is held.
  absl::StatusOr<v1::Task> LeaseTask(LiveJob& job, int64_t number, const std::string& worker,
                                     const v1::FileAccess& file);
  // Fails a job of which the next task cannot be given out any more. REQUIRES: the job's turn is held.
  absl::Status FailNow(LiveJob& job, const absl::Status& error);
  // Lets the job wait after a DISK_FULL error. In memory only, so that a full disk need not hold it. REQUIRES: the
  // job's turn is held.
  void WaitForRoom(LiveJob& job, const absl::Status& error);

  // Applies a step to the store, takes it over and tells everybody. REQUIRES: the job's turn is held.
  absl::Status Finish(LiveJob& job, JobStep step);
  void Publish(LiveJob& job, const JobStep& step);
  void TellReady();

  // Constant.
  const RetryRules rules_;
  Store& store_;
  VolumeStore& volumes_;
  Capabilities& capabilities_;
  Clock& clock_;
  IdSource& ids_;
  const FileRoots roots_;
  const JobExaminer examiner_;

  std::mutex listening_;                  // held over calls of the listener; taken after a job's turn
  std::function<void()> ready_listener_;  // guarded by listening_

  // Makes submissions take turns, so that a request id is looked up and inserted as one. Held over I/O. Taken before
  // all others.
  std::mutex submitting_;

  // Order of locks: a job's turn (held over its transaction, see live_job.h), then mutex_ (never held over I/O or
  // callbacks).
  std::mutex mutex_;
  std::condition_variable changed_;  // notified after every step, report and Stop
  // Guarded by mutex_: jobs that have not ended. Every such job of the store is here, and one that is being submitted.
  std::map<std::string, std::shared_ptr<LiveJob>> live_;
  bool stopped_ = false;  // guarded by mutex_

  bool input_waits_ = false;               // for the store, which has been logged; the watcher's thread's
  std::unique_ptr<InputWatcher> watcher_;  // ends before all else
};

}  // namespace deconvoy::server
