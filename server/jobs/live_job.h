// A job that has not ended, in memory: its record, its tasks, and which of them can be given out.
//
// No I/O. Two locks guard it, both outside: the job's `turn`, which makes its steps take turns and is held over their
// transactions, and the manager's mutex, which is never held over I/O. What is marked *step* is written only under both
// and may be read under either; what is marked *view* needs the manager's mutex.
#pragma once

#include <boost/dynamic_bitset.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/input_arrival.h"
#include "server/jobs/job_plan.h"
#include "server/store/store.h"

namespace deconvoy::server {

// One task, small because a job may have a million.
struct LiveTask {
  TaskKind kind = TaskKind::kTile;
  TaskState state = TaskState::kReady;
  int32_t t = 0, c = 0, tile = 0;
  int32_t failures = 0, losses = 0;
  uint64_t token = 0;
};

class LiveJob {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // `volumes` holds the specs of all volumes that the job reads or writes, by id; `tasks` are in order of their
  // numbers.
  LiveJob(JobRecord record, std::map<std::string, v1::VolumeSpec> volumes, const std::vector<TaskRecord>& tasks,
          std::optional<JobPlan> plan, absl::Time wall, SteadyTime steady);

  std::mutex turn;

  // --- step ---
  const std::string& id() const { return record_.id; }
  const JobRecord& record() const { return record_; }  // without the plan
  const v1::JobSpec& spec() const { return record_.job.spec(); }
  const std::optional<JobPlan>& plan() const { return plan_; }
  const v1::VolumeSpec& volume(const std::string& id) const { return volumes_.at(id); }
  int64_t task_count() const { return static_cast<int64_t>(tasks_.size()); }
  const LiveTask& task(int64_t number) const { return tasks_[static_cast<size_t>(number)]; }
  bool has_task(int64_t number) const { return number >= 0 && number < task_count(); }
  bool Holds(int64_t number, uint64_t token) const;
  TaskRecord RecordOf(int64_t number) const;
  // The worker that failed the task last, or lost it; empty where none has. Known until the task has ended.
  const std::string& FailedBy(int64_t number) const;
  int64_t open_tasks() const { return open_tasks_; }  // not yet DONE, FAILED or CANCELLED
  int64_t done_tasks() const { return done_tasks_; }
  int64_t first_tile() const { return first_tile_; }  // the number of tasks before the tiles
  int64_t OpenTiles(int64_t t, int64_t c) const;      // of one frame
  int32_t room_waits() const { return room_waits_; }  // calls of WaitForRoom since a task was done last
  int64_t memory_bytes() const;                       // of the tasks it has to give out
  // What is there of an input that is still being written; null where everything is.
  const InputArrival* input() const { return input_ && !input_->complete() ? &*input_ : nullptr; }
  bool follows_input() const { return input_.has_value(); }
  InputArrival* mutable_input() { return &*input_; }  // REQUIRES: follows_input()

  // --- view ---
  // Takes over what has been applied to the store.
  void Accept(const JobChange& change, std::optional<JobPlan> plan, absl::Time wall, SteadyTime steady);
  // From now on tasks wait for what is missing of the input. REQUIRES: the turn is held, too.
  void FollowInput(InputArrival input) { input_ = std::move(input); }
  void NoteInput() { ++version_; }  // more of it is there
  // Lets tasks whose backoff is over become available, and tells whether any task is.
  bool HasAvailable(SteadyTime now);
  // The disk has no room for one of its tasks: none is available before `until`, or before another one is done, which
  // frees its scratch file. `lack` says what is lacking, as from LackOfRoom. REQUIRES: the turn is held, too.
  void WaitForRoom(std::string lack, SteadyTime until);
  const std::string& lack_of_room() const { return lack_of_room_; }  // empty once a task was given out or done
  // The available task of the lowest number; with `spared`, none that this worker failed last.
  std::optional<int64_t> FirstAvailable(const std::string& spared) const;
  std::optional<SteadyTime> NextDue() const;  // of a task's backoff, or of the wait for room
  // Takes note of a worker's report on a task that is leased.
  void Report(int64_t number, const v1::TaskStatus& status);
  int64_t ready_tasks() const { return ready_tasks_; }
  int64_t available_tasks() const { return available_tasks_; }  // READY, and not backing off
  int64_t leased_tasks() const { return static_cast<int64_t>(running_.size()); }
  // Tiles that are done, in the order in which they became so; after a restart in that of their numbers.
  const std::vector<int64_t>& done_tiles() const { return done_tiles_; }

  v1::Job Show() const;  // as users see it
  v1::JobProgress Progress() const;
  uint64_t version() const { return version_; }  // rises with every change and report

  // Work of the whole job in padded voxel iterations of rl, as estimated; for queue times. Set before it is shared.
  double estimated_work = 0;

 private:
  struct Running {
    uint32_t iteration = 0, iterations_total = 0;
    std::optional<v1::ObjectiveValue> objective;
  };

  void SetAvailable(int64_t number, bool available);
  void Place(int64_t number, const TaskRecord& task, absl::Time wall, SteadyTime steady);
  void Take(const TaskRecord& task, absl::Time wall, SteadyTime steady);
  void TakeWorker(const TaskRecord& task);
  double Fraction() const;
  int64_t FirstCalibration() const;  // the number of the first, if there are any
  std::string Activity() const;
  std::string Waiting() const;

  // Step.
  JobRecord record_;
  std::map<std::string, v1::VolumeSpec> volumes_;
  const int64_t channels_;          // of a deconvolution's result
  const int64_t whole_task_bytes_;  // least memory of a task before there is a plan
  std::optional<JobPlan> plan_;
  std::vector<LiveTask> tasks_;
  std::map<int64_t, std::string> holders_;    // workers of tasks that are leased
  std::map<int64_t, std::string> failed_by_;  // workers that failed open tasks last
  std::vector<int32_t> open_tiles_;           // by frame in t,c order; empty until there are tiles
  int64_t open_tasks_ = 0, done_tasks_ = 0, first_tile_ = 0, blocked_tasks_ = 0;
  std::optional<InputArrival> input_;
  int32_t room_waits_ = 0;

  // View.
  boost::dynamic_bitset<> available_;                     // READY tasks whose time has come
  int64_t available_tasks_ = 0;                           // how many these are
  std::set<std::pair<SteadyTime, int64_t>> backing_off_;  // READY tasks that wait, by when
  std::map<int64_t, Running> running_;                    // LEASED tasks
  std::optional<SteadyTime> room_due_;                    // until then it waits for room on the disk
  std::string lack_of_room_;
  std::vector<int64_t> done_tiles_;
  int64_t last_reported_ = -1;
  int64_t ready_tasks_ = 0;
  uint64_t version_ = 0;
};

}  // namespace deconvoy::server
