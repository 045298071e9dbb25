// Dispatcher: which task a worker gets.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/task_builder.h"
#include "server/schedule/dispatcher.h"

namespace deconvoy::server {

bool Dispatcher::TakesWork(const WorkerEntry& worker) {
  return !worker.lost && !worker.drain && !worker.leaving;
}

bool Dispatcher::MayWork(const WorkerEntry& worker) const {
  return !draining_ && !paused_ && TakesWork(worker);
}

bool Dispatcher::Suits(const WorkerEntry& worker, const WaitingJob& job) const {
  const auto budget = static_cast<int64_t>(worker.registration.memory_budget_bytes());
  return (job.method.empty() || worker.methods.contains(job.method)) &&
         (job.backend.empty() || worker.registration.backend() == job.backend) &&
         (budget == 0 || job.memory_bytes <= budget) && (worker.same_host || !job.same_host);
}

bool Dispatcher::AnotherSuits(const std::string& worker, const WaitingJob& job) const {
  for (const auto& [id, other] : workers_) {
    if (id != worker && MayWork(other) && Suits(other, job)) return true;
  }
  return false;
}

// Whether enough tasks stay behind when a busy worker takes one of this job: one for each other worker that could have
// taken it, whatever that worker can compute.
bool Dispatcher::LeavesEnough(const std::string& worker, const WaitingJob& job,
                              const std::vector<WaitingJob>& waiting) const {
  int64_t others = 0, fewest = std::numeric_limits<int64_t>::max();
  for (const auto& [id, other] : workers_) {
    if (id == worker || !MayWork(other) || !Suits(other, job)) continue;
    ++others;
    int64_t tasks = 0;
    for (const WaitingJob& some : waiting) {
      tasks += Suits(other, some) ? some.tasks : 0;
      if (tasks > static_cast<int64_t>(workers_.size())) break;  // enough in any case
    }
    fewest = std::min(fewest, tasks);
  }
  return others < fewest;
}

// Gives up to `slots` tasks. What goes wrong is the server's affair, not the worker's: it is logged, and tried again
// later.
void Dispatcher::Assign(const std::string& worker, uint32_t slots, bool busy, v1::SynchronizeResponse& response) {
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const absl::StatusOr<bool> given = AssignOne(worker, busy || slot > 0, response);
    if (!given.ok()) spdlog::error("no task for {}: {}", WorkerName(worker), LogText(given.status()));
    if (!given.ok() || !*given) return;
  }
}

absl::StatusOr<bool> Dispatcher::AssignOne(const std::string& worker, bool busy, v1::SynchronizeResponse& response) {
  const std::vector<WaitingJob> waiting = jobs_.Waiting();
  const std::vector<WaitingJob> ranked = RankFor(worker, waiting);
  for (const WaitingJob& job : ranked) {
    bool spare = false;
    {
      std::lock_guard lock(mutex_);
      const auto found = workers_.find(worker);
      if (found == workers_.end() || !MayWork(found->second)) return false;
      if (busy && !LeavesEnough(worker, job, waiting)) continue;
      spare = AnotherSuits(worker, job);
    }
    const std::optional<absl::Status> inputs = inputs_.Ask(job.id);
    if (!inputs) continue;
    ASSIGN_OR_RETURN(std::optional<v1::Task> task, LeaseFor(job, worker, spare));
    if (!task) continue;
    RETURN_IF_ERROR(GiveOut(*std::move(task), job, worker, busy, *inputs, response));
    policy_.NoteGiven(job, ranked);
    return true;
  }
  return false;
}

absl::StatusOr<std::optional<v1::Task>> Dispatcher::LeaseFor(const WaitingJob& job, const std::string& worker,
                                                             bool spare) {
  if (!shares_.Hold(job.owner, job.job_class, policy_.RunningCap(job.owner))) return std::nullopt;
  absl::StatusOr<std::optional<v1::Task>> task = jobs_.Lease(job.id, worker, spare);
  if (!task.ok() || !*task) shares_.Release(job.owner, job.job_class);
  return task;
}

std::vector<WaitingJob> Dispatcher::RankFor(const std::string& worker, const std::vector<WaitingJob>& waiting) const {
  std::vector<WaitingJob> ranked;
  std::string last_job;
  {
    std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found == workers_.end() || !MayWork(found->second)) return ranked;
    for (const WaitingJob& job : waiting) {
      if (Suits(found->second, job)) ranked.push_back(job);
    }
    last_job = found->second.last_job;
  }
  policy_.Rank(ranked, clock_.Steady(), last_job);
  std::lock_guard lock(mutex_);
  const auto found = workers_.find(worker);
  if (found != workers_.end()) PreferLarge(found->second, ranked);
  return ranked;
}

std::vector<std::string> Dispatcher::JobsInOrder() const {
  std::vector<WaitingJob> waiting = jobs_.Waiting();
  std::set<std::string> others;  // of users who hold as many tasks as they may
  for (const WaitingJob& job : waiting) others.insert(job.id);
  policy_.Rank(waiting, clock_.Steady(), "");
  std::vector<std::string> ids;
  for (WaitingJob& job : waiting) {
    others.erase(job.id);
    ids.push_back(std::move(job.id));
  }
  ids.insert(ids.end(), others.begin(), others.end());
  return ids;
}

void Dispatcher::PreferLarge(const WorkerEntry& worker, std::vector<WaitingJob>& ranked) const {
  if (ranked.empty()) return;
  const uint64_t budget = worker.registration.memory_budget_bytes();
  int64_t next_budget = 0;  // the largest of those with less
  bool others_do_first = false;
  for (const auto& [id, other] : workers_) {
    const uint64_t less = other.registration.memory_budget_bytes();
    if (!MayWork(other) || less == 0 || (budget != 0 && less >= budget)) continue;
    next_budget = std::max(next_budget, static_cast<int64_t>(less));
    others_do_first = others_do_first || Suits(other, ranked[0]);
  }
  if (!others_do_first) return;
  const auto large = std::find_if(ranked.begin(), ranked.end(), [&](const WaitingJob& job) {
    return job.job_class == ranked[0].job_class && job.memory_bytes > next_budget;
  });
  if (large != ranked.end()) std::rotate(ranked.begin(), large, large + 1);
}

// Makes the lease, with room for the task's outputs. Where the scratch file cannot be made, the task goes back.
absl::Status Dispatcher::GiveOut(v1::Task task, const WaitingJob& job, const std::string& worker, bool busy,
                                 const absl::Status& inputs, v1::SynchronizeResponse& response) {
  ASSIGN_OR_RETURN(const TaskId id, ParseTaskName(task.name(), "task"));
  const int64_t bytes = OutputBytes(task);
  absl::StatusOr<std::filesystem::path> scratch;
  if (bytes > 0) scratch = volumes_.MakeScratch(task.token(), bytes);
  const bool no_scratch = bytes > 0 && !scratch.ok();
  bool withdrawn = false;  // the server was paused meanwhile, or the worker drained
  task.set_lease_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease)));
  {
    std::lock_guard lock(mutex_);
    if (workers_[worker].same_host) {
      if (scratch.ok()) task.set_scratch_path(scratch->string());
      for (v1::VolumeAccess& input : *task.mutable_inputs()) {
        ASSIGN_OR_RETURN(const std::string volume, VolumeId(input.volume(), "input"));
        input.set_spool_path(volumes_.PathOf(volume).string());
      }
    }
    Lease& lease = leases_[task.token()];
    lease = {.id = id,
             .worker = worker,
             .token = task.token(),
             .deadline = {},
             .task = task,
             .job = job,
             .status = {},
             .over = {},
             .computed_since = {}};
    lease.deadline = clock_.Steady() + absl::ToChronoNanoseconds(options_.lease);
    lease.status.set_task(task.name());
    lease.status.set_token(task.token());
    if (busy) lease.status.set_stage(v1::STAGED);
    workers_[worker].last_job = job.id;
    Charge(lease);
    if (no_scratch) lease.over = TaskFailure{.error = scratch.status()};
    // What lies on the disk does not mend itself.
    const bool retry = ReasonOf(inputs) != v1::CORRUPT_DATA;
    if (!inputs.ok()) lease.over = TaskFailure{.error = inputs, .retry = retry};
    withdrawn = !lease.over && !MayWork(workers_[worker]);
    if (withdrawn) lease.over = TaskFailure{.error = absl::CancelledError("it is paused"), .unbegun = true};
  }
  if (!inputs.ok() || withdrawn) {
    HandBack(id, task.token());
    return absl::OkStatus();
  }
  if (no_scratch) {
    HandBack(id, task.token());
    return scratch.status();
  }
  *response.add_assigned() = std::move(task);
  return absl::OkStatus();
}

// --- Taking back what has not been begun ---

bool Dispatcher::CanBeTaken(const Lease& lease) {
  return !lease.busy && !lease.over && lease.status.stage() == v1::STAGED;
}

// The worker that held it may have begun it since it called last; then it is told to stop. Taken from is the one whose
// task has waited the longest; of its tasks the one that was given out last is furthest from being begun: the one
// before it may be loaded already.
bool Dispatcher::TakeFromAnother(const std::string& worker, bool interactive) {
  std::optional<std::pair<TaskId, uint64_t>> taken;
  {
    std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found == workers_.end() || !MayWork(found->second)) return false;
    Lease* last = nullptr;
    for (auto& [token, lease] : leases_) {
      if (lease.worker == worker || (last != nullptr && lease.worker != last->worker)) continue;
      if (!CanBeTaken(lease) || !Suits(found->second, lease.job)) continue;
      if (interactive && lease.job.job_class != v1::INTERACTIVE) continue;
      if (jobs_.FailedBy(lease.id) == worker) continue;  // its holder has not failed it
      last = &lease;
    }
    if (last != nullptr) {
      last->over = TaskFailure{.error = absl::CancelledError("another worker has nothing to do"), .unbegun = true};
      taken.emplace(last->id, last->token);
    }
  }
  if (!taken) return false;
  HandBack(taken->first, taken->second);
  return true;
}

bool Dispatcher::YieldToUrgent(const std::string& worker, v1::SynchronizeResponse& response) {
  std::vector<std::pair<TaskId, uint64_t>> staged;
  {
    std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found == workers_.end() || !MayWork(found->second)) return false;
    for (const auto& [token, lease] : leases_) {
      if (lease.worker != worker || !CanBeTaken(lease) || lease.job.job_class == v1::INTERACTIVE) continue;
      staged.emplace_back(lease.id, token);
    }
  }
  if (staged.empty()) return false;
  // Whether one of them would come before what is staged, and the worker would get it.
  std::vector<WaitingJob> waiting = jobs_.Waiting();
  const std::vector<WaitingJob> ranked = RankFor(worker, waiting);
  if (ranked.empty() || ranked[0].job_class != v1::INTERACTIVE) return false;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [task, token] : staged) {
      const Lease* lease = FindLease(task, token);
      if (lease != nullptr) waiting.push_back(lease->job);
    }
    if (!LeavesEnough(worker, ranked[0], waiting)) return false;
    std::erase_if(staged, [&](const auto& one) {
      Lease* lease = FindLease(one.first, one.second);
      if (lease == nullptr || !CanBeTaken(*lease)) return true;
      lease->over = TaskFailure{.error = absl::CancelledError("an interactive job comes first"), .unbegun = true};
      return false;
    });
  }
  for (const auto& [task, token] : staged) {
    response.add_cancelled(TaskName(task.job_id, task.number));
    HandBack(task, token);
  }
  return !staged.empty();
}

void Dispatcher::TakeBackStaged(const std::string& worker) {
  std::vector<std::pair<TaskId, uint64_t>> taken;
  {
    std::lock_guard lock(mutex_);
    for (auto& [token, lease] : leases_) {
      if ((!worker.empty() && lease.worker != worker) || !CanBeTaken(lease)) continue;
      lease.over = TaskFailure{.error = absl::CancelledError("its worker is draining"), .unbegun = true};
      taken.emplace_back(lease.id, token);
    }
  }
  for (const auto& [task, token] : taken) HandBack(task, token);
}

}  // namespace deconvoy::server
