#include "server/schedule/dispatcher.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"

namespace deconvoy::server {
namespace {

constexpr auto kIdleLook = std::chrono::milliseconds(50);  // how often WaitIdle looks at the clock

TaskFailure LostLease(const std::string& worker, absl::Duration lease) {
  return {
      .error = MakeError({.reason = v1::WORKER_CRASHED}, fmt::format("{} has not called for {} seconds",
                                                                     WorkerName(worker), absl::ToDoubleSeconds(lease))),
      .lost_lease = true};
}

TaskFailure Exited(const std::string& worker, bool by_signal) {
  return {.error = MakeError({.reason = v1::WORKER_CRASHED},
                             fmt::format("{} {}", WorkerName(worker),
                                         by_signal ? "was ended by a signal" : "ended before the task was done")),
          .lost_lease = !by_signal,
          .crash = by_signal};
}

}  // namespace

Dispatcher::Dispatcher(const Options& options, Store& store, VolumeStore& volumes, JobManager& jobs,
                       Capabilities& capabilities, Clock& clock, const Kept& kept, ShareOf share_of)
    : options_(options),
      store_(store),
      volumes_(volumes),
      jobs_(jobs),
      capabilities_(capabilities),
      clock_(clock),
      shares_(options.half_life, clock.Steady(), kept.shares),
      policy_(options.shares, shares_, std::move(share_of)),
      paused_(kept.paused),
      inputs_({}, store, volumes, clock,
              {.in_order = [this] { return JobsInOrder(); },
               .has_ended = [this](const std::string& job) { return jobs_.HasEnded(job); },
               .wake = [this] { Wake(); }}) {
  capabilities_.SetPaused(kept.paused);
  jobs_.SetReadyListener([this] { Wake(); });
  if (options_.tick > absl::ZeroDuration()) ticker_ = std::thread([this] { RunTicks(); });
}

Dispatcher::~Dispatcher() {
  Stop();
  jobs_.SetReadyListener(nullptr);
}

// --- Life ---

void Dispatcher::Wake() {
  {
    std::lock_guard lock(mutex_);
    ++wakes_;
  }
  changed_.notify_all();
}

void Dispatcher::Drain() {
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
  }
  TakeBackStaged("");
  Wake();
}

bool Dispatcher::WaitIdle(absl::Duration grace) {
  const SteadyTime until = clock_.Steady() + absl::ToChronoNanoseconds(grace);
  std::unique_lock lock(mutex_);
  while (!leases_.empty() && clock_.Steady() < until) changed_.wait_for(lock, kIdleLook);
  return leases_.empty();
}

void Dispatcher::Stop() {
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
    stopped_ = true;
  }
  Wake();
  inputs_.Stop();
  if (ticker_.joinable()) ticker_.join();
}

void Dispatcher::RunTicks() {
  const auto pause = absl::ToChronoNanoseconds(options_.tick);
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    lock.unlock();
    Tick();
    lock.lock();
    const auto until = std::chrono::steady_clock::now() + pause;
    changed_.wait_until(lock, until, [&] { return stopped_; });
  }
}

// --- Ends of leases ---

Dispatcher::Lease* Dispatcher::FindLease(const TaskId& task, uint64_t token) {
  const auto found = leases_.find(token);
  if (found == leases_.end() || found->second.id != task) return nullptr;
  return &found->second;
}

void Dispatcher::HandBack(const TaskId& task, uint64_t token) {
  TaskFailure failure;
  {
    std::lock_guard lock(mutex_);
    Lease* lease = FindLease(task, token);
    if (lease == nullptr || lease->busy || !lease->over) return;
    lease->busy = true;
    StopCharge(*lease);
    failure = *lease->over;
  }
  // Nothing of it is taken any more. Its room first: the store may need just that.
  volumes_.RemoveScratch(token);
  const absl::Status status = jobs_.Fail(task, token, failure);
  bool says_so = false;
  {
    std::lock_guard lock(mutex_);
    if (status.ok()) {
      EraseLease(token);
    } else {
      Lease* lease = FindLease(task, token);
      lease->busy = false;
      says_so = !std::exchange(lease->stuck, true);
    }
  }
  if (says_so) {
    spdlog::error("{} cannot be returned to the queue: {}", TaskName(task.job_id, task.number), LogText(status));
  }
  Wake();
}

void Dispatcher::Tick() {
  const SteadyTime now = clock_.Steady();
  const auto unseen = absl::ToChronoNanoseconds(options_.lease);
  std::vector<std::pair<TaskId, uint64_t>> over;
  {
    std::lock_guard lock(mutex_);
    for (auto& [token, lease] : leases_) {
      if (lease.busy) continue;
      if (!lease.over && lease.deadline <= now) lease.over = LostLease(lease.worker, options_.lease);
      if (lease.over) over.emplace_back(lease.id, lease.token);
    }
    for (auto entry = workers_.begin(); entry != workers_.end();) {
      WorkerEntry& worker = entry->second;
      if (!worker.lost && worker.last_seen + unseen <= now) {
        worker.lost = true;
        capabilities_.RemoveWorker(entry->first);
        spdlog::warn("{} is lost: it has not called", WorkerName(entry->first));
      }
      const bool forget = worker.lost && worker.last_seen + absl::ToChronoNanoseconds(options_.keep_lost) <= now;
      entry = forget ? workers_.erase(entry) : std::next(entry);
    }
  }
  for (const auto& [task, token] : over) HandBack(task, token);
}

void Dispatcher::WorkerExited(uint32_t process_id, bool by_signal) {
  std::vector<std::pair<TaskId, uint64_t>> over;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, worker] : workers_) {
      const bool here = worker.same_host || (!options_.host.empty() && worker.registration.host() == options_.host);
      if (!here || worker.lost || worker.registration.process_id() != process_id) continue;
      worker.lost = true;
      capabilities_.RemoveWorker(id);
      // What it had not begun did not end it. Where it loads tiles beside others, it may have begun the first that
      // waits.
      bool loads = worker.registration.tile_memory_bytes() > 0;
      for (auto& [token, lease] : leases_) {
        if (lease.worker != id) continue;
        const bool begun = lease.status.stage() != v1::STAGED || std::exchange(loads, false);
        if (!lease.over) lease.over = Exited(id, by_signal && begun);
        over.emplace_back(lease.id, lease.token);
      }
    }
  }
  for (const auto& [task, token] : over) HandBack(task, token);
}

// --- For the Admin service ---

v1::Worker Dispatcher::Describe(const std::string& worker, const WorkerEntry& entry, const std::string& owner) const {
  v1::Worker shown;
  shown.set_name(WorkerName(worker));
  *shown.mutable_registration() = entry.registration;
  bool busy = false;
  for (const auto& [token, lease] : leases_) {
    if (lease.worker != worker || lease.over) continue;
    busy = true;
    if (owner.empty() || lease.job.owner == owner) *shown.add_tasks() = lease.status;
  }
  shown.set_state(entry.lost ? v1::LOST : entry.drain || entry.leaving ? v1::DRAINING : busy ? v1::BUSY : v1::IDLE);
  *shown.mutable_last_seen() = ToTimestamp(entry.last_seen_wall);
  shown.set_tasks_done(entry.tasks_done);
  shown.set_tasks_failed(entry.tasks_failed);
  shown.set_same_host(entry.same_host);
  return shown;
}

std::vector<v1::Worker> Dispatcher::Workers(const std::string& owner) {
  std::vector<v1::Worker> workers;
  std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : workers_) workers.push_back(Describe(id, entry, owner));
  return workers;
}

absl::StatusOr<v1::Worker> Dispatcher::DrainWorker(const std::string& worker_name, bool drain) {
  ASSIGN_OR_RETURN(const std::string id, WorkerId(worker_name, "worker"));
  v1::Worker shown;
  {
    std::lock_guard lock(mutex_);
    const auto found = workers_.find(id);
    if (found == workers_.end()) {
      return MakeError(
          {.reason = v1::NOT_FOUND, .field = "worker", .remedy = "List the workers to see which there are."},
          fmt::format("there is no worker \"{}\"", worker_name));
    }
    if (std::exchange(found->second.drain, drain) != drain) Publish(id, found->second);
    shown = Describe(id, found->second, "");
  }
  if (drain) TakeBackStaged(id);
  Wake();
  return shown;
}

absl::Status Dispatcher::Pause(bool pause) {
  const std::lock_guard pausing(pausing_);
  RETURN_IF_ERROR(store_.SetPaused(pause));
  {
    std::lock_guard lock(mutex_);
    paused_ = pause;
  }
  capabilities_.SetPaused(pause);
  if (pause) TakeBackStaged("");
  Wake();
  return absl::OkStatus();
}

bool Dispatcher::paused() const {
  std::lock_guard lock(mutex_);
  return paused_;
}

double Dispatcher::RecentWorkerSeconds(const std::string& owner) const {
  return shares_.SpentSeconds(owner, clock_.Steady());
}

}  // namespace deconvoy::server
