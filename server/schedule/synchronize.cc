// Dispatcher: what a worker says, and what it is told.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/schedule/dispatcher.h"

namespace deconvoy::server {
namespace {

constexpr auto kLookAround =
    std::chrono::milliseconds(100);  // how often a waiting call checks whether it is still wanted

absl::Status ShuttingDown() {
  return MakeError({.reason = v1::SHUTTING_DOWN, .remedy = "Call again in a moment."}, "the server is stopping");
}

absl::Status CheckRegistration(const v1::WorkerRegistration& registration) {
  if (registration.contract_version() != limits::kContractVersion) {
    return MakeError(
        {.reason = v1::WORKER_REFUSED,
         .field = "registration.contract_version",
         .remedy = "Run a worker of the server's version.",
         .metadata = {{"limit", fmt::to_string(limits::kContractVersion)}}},
        fmt::format("the worker {} speaks version {} of the contract, the server {}", Printable(registration.version()),
                    registration.contract_version(), limits::kContractVersion));
  }
  RETURN_IF_ERROR(FftCosts::FromProto(registration.fft_costs()).status());
  if (registration.self_test().passed()) return absl::OkStatus();
  return MakeError({.reason = v1::WORKER_REFUSED,
                    .field = "registration.self_test",
                    .remedy = "Run `deconvoy-worker --self-test` on its host to see what is wrong there."},
                   fmt::format("the worker's self-test failed: {}", Printable(registration.self_test().message())));
}

// `draining`: the worker gets nothing more, so that it cannot have its tasks go to and fro without an end.
TaskFailure FailureOf(const v1::TaskStatus& status, bool draining) {
  TaskFailure failure{.error = FromStored(status.error()),
                      .reported = true,
                      .retry = status.retry_elsewhere(),
                      .log_excerpt = status.log_excerpt()};
  // A worker that is told to stop gives its tasks back; nothing is wrong with them.
  failure.lost_lease = absl::IsUnavailable(failure.error) || absl::IsCancelled(failure.error);
  if (failure.lost_lease) failure.retry = true;
  // What lies on the disk does not mend itself.
  if (ReasonOf(failure.error) == v1::CORRUPT_DATA) failure.retry = false;
  failure.unbegun = draining && failure.lost_lease && status.stage() == v1::STAGED;
  return failure;
}

}  // namespace

absl::StatusOr<v1::SynchronizeResponse> Dispatcher::Synchronize(const v1::SynchronizeRequest& request,
                                                                const std::string& account,
                                                                const std::function<bool()>& gone) {
  ASSIGN_OR_RETURN(const std::string worker, WorkerId(request.worker(), "worker"));
  v1::SynchronizeResponse response;
  ASSIGN_OR_RETURN(const uint64_t call, Enter(request, worker, account));
  if (call == 0) {
    response.set_register_(true);
    for (const v1::TaskStatus& status : request.tasks()) response.add_cancelled(status.task());
    return response;
  }
  Reports reports = TakeReports(request, worker);
  for (const std::string& task : reports.cancelled) response.add_cancelled(task);
  RETURN_IF_ERROR(FindWork(request, worker, call, reports, gone, response));
  const bool yielded = response.cancelled_size() > static_cast<int>(reports.cancelled.size());
  const bool idle = reports.idle() && response.assigned().empty() && request.free_slots() > 0 && !response.drain();
  const bool at_once = idle || (yielded && request.free_slots() == 0);
  response.set_next_call_ms(at_once ? 0 : static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.busy_call)));
  return response;
}

bool Dispatcher::IsKnown(const std::string& worker, const std::string& account) const {
  const auto found = workers_.find(worker);
  return found != workers_.end() && found->second.account == account;
}

absl::Status Dispatcher::Register(const v1::WorkerRegistration& registration, const std::string& worker,
                                  const std::string& account) {
  if (workers_.contains(worker) && !IsKnown(worker, account)) {
    return MakeError({.reason = v1::WORKER_REFUSED, .field = "worker", .remedy = "Start the worker again."},
                     fmt::format("{} is the name of a worker with another credential", WorkerName(worker)));
  }
  WorkerEntry& entry = workers_[worker];
  entry.account = account;
  entry.registration = registration;
  entry.registration.clear_methods();
  entry.registration.clear_spool_nonce();
  entry.methods.clear();
  for (const v1::Method& method : registration.methods()) {
    if (!method.unavailable().empty()) continue;
    entry.methods.insert(method.name());
    for (const int format : method.formats()) {
      entry.methods.insert(MethodWithFormat(method.name(), static_cast<v1::ModelFormat>(format)));
    }
  }
  entry.same_host = !registration.spool_nonce().empty() && registration.spool_nonce() == volumes_.nonce();
  spdlog::info("{} has registered: {} on {}, {} threads, {} MiB", WorkerName(worker), Printable(registration.backend()),
               Printable(registration.host()), registration.threads(), registration.memory_budget_bytes() >> 20U);
  return absl::OkStatus();
}

void Dispatcher::Publish(const std::string& worker, const WorkerEntry& entry) {
  if (!TakesWork(entry)) return capabilities_.RemoveWorker(worker);
  const v1::WorkerRegistration& known = entry.registration;
  capabilities_.SetWorker(worker,
                          {.backend = known.backend(),
                           .machine = {.memory_budget_bytes = static_cast<int64_t>(known.memory_budget_bytes()),
                                       .tile_memory_bytes = static_cast<int64_t>(known.tile_memory_bytes()),
                                       .fft_costs = FftCosts::FromProto(known.fft_costs()).value_or(FftCosts())},
                           .rate = known.self_test().padded_voxel_iterations_per_second(),
                           .methods = entry.methods,
                           .same_host = entry.same_host});
}

absl::StatusOr<uint64_t> Dispatcher::Enter(const v1::SynchronizeRequest& request, const std::string& worker,
                                           const std::string& account) {
  if (request.has_registration()) {
    RETURN_IF_ERROR(CheckRegistration(request.registration()));
  }
  std::lock_guard lock(mutex_);
  if (stopped_ || (draining_ && request.tasks().empty())) return ShuttingDown();
  if (request.has_registration()) {
    RETURN_IF_ERROR(Register(request.registration(), worker, account));
    const auto& methods = request.registration().methods();
    capabilities_.AddMethods({methods.begin(), methods.end()});
  }
  if (!IsKnown(worker, account)) return 0;
  WorkerEntry& entry = workers_[worker];
  const bool took_work = TakesWork(entry);
  entry.lost = false;
  entry.leaving = request.draining();
  if (request.has_registration() || TakesWork(entry) != took_work) Publish(worker, entry);
  entry.last_seen = clock_.Steady();
  entry.last_seen_wall = clock_.Wall();
  changed_.notify_all();  // an older call of the same worker ends
  return ++entry.calls;
}

Dispatcher::Reports Dispatcher::TakeReports(const v1::SynchronizeRequest& request, const std::string& worker) {
  Reports reports;
  for (const v1::TaskStatus& status : request.tasks()) {
    if (TakeReport(status, worker)) {
      ++reports.held;
      reports.busy = reports.busy || status.stage() != v1::DELIVERING;
    } else if (!status.has_error()) {
      reports.cancelled.push_back(status.task());
    }
  }
  return reports;
}

// Whether the worker goes on with the task.
bool Dispatcher::TakeReport(const v1::TaskStatus& status, const std::string& worker) {
  const absl::StatusOr<TaskId> task = ParseTaskName(status.task(), "tasks");
  if (!task.ok()) return false;
  bool goes_on = false;
  {
    std::lock_guard lock(mutex_);
    Lease* lease = FindLease(*task, status.token());
    if (lease == nullptr || lease->worker != worker || lease->over) return false;
    lease->status = status;
    lease->deadline = clock_.Steady() + absl::ToChronoNanoseconds(options_.lease);
    if (status.has_error()) {
      lease->over = FailureOf(status, workers_[worker].leaving);
      if (!lease->over->unbegun) ++workers_[worker].tasks_failed;
    } else if (!lease->busy && !jobs_.Holds(*task, status.token())) {
      lease->over = TaskFailure{.error = absl::CancelledError("the job has ended"), .lost_lease = true};
    } else if (CanBeTaken(*lease) && (paused_ || jobs_.IsPaused(task->job_id))) {
      lease->over = TaskFailure{.error = absl::CancelledError("it is paused"), .unbegun = true};
    } else if (!lease->busy) {
      Charge(*lease);
    }
    goes_on = !lease->over;
  }
  if (goes_on) {
    if (status.stage() != v1::STAGED) jobs_.Report(*task, status);
  } else {
    HandBack(*task, status.token());
  }
  return goes_on;
}

absl::Status Dispatcher::FindWork(const v1::SynchronizeRequest& request, const std::string& worker, uint64_t call,
                                  const Reports& reports, const std::function<bool()>& gone,
                                  v1::SynchronizeResponse& response) {
  const bool idle = reports.idle();
  const SteadyTime until = clock_.Steady() + absl::ToChronoNanoseconds(options_.poll);
  while (true) {
    uint64_t wakes = 0;
    {
      std::lock_guard lock(mutex_);
      wakes = wakes_;
      const auto found = workers_.find(worker);
      if (found == workers_.end() || found->second.calls != call) return absl::OkStatus();
      response.set_drain(found->second.drain);
      if (draining_ || !TakesWork(found->second)) return draining_ && idle ? ShuttingDown() : absl::OkStatus();
    }
    if (reports.busy && YieldToUrgent(worker, response) && request.free_slots() == 0) return absl::OkStatus();
    if (!reports.busy && request.free_slots() > 0) TakeFromAnother(worker, true);  // before it takes anything else
    Assign(worker, request.free_slots(), reports.busy, response);
    const bool lacks_work = !reports.busy && request.free_slots() > 0 && response.assigned().empty();
    if (lacks_work && TakeFromAnother(worker, false)) continue;
    if (!idle || request.free_slots() == 0 || !response.assigned().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool again, WaitForWork(worker, call, wakes, until, gone));
    if (!again) return absl::OkStatus();
  }
}

// Waits until something has changed since `wakes`, or a task's backoff is over. False when the time is up.
absl::StatusOr<bool> Dispatcher::WaitForWork(const std::string& worker, uint64_t call, uint64_t wakes, SteadyTime until,
                                             const std::function<bool()>& gone) {
  const std::optional<SteadyTime> due = jobs_.NextDue();
  while (true) {
    if (gone()) return absl::CancelledError("the worker has left");
    std::unique_lock lock(mutex_);
    const auto found = workers_.find(worker);
    if (found == workers_.end() || found->second.calls != call) return true;
    const SteadyTime now = clock_.Steady();
    found->second.last_seen = now;
    found->second.last_seen_wall = clock_.Wall();
    if (wakes_ != wakes || (due && *due <= now)) return true;
    if (now >= until) return false;
    const auto left = std::min({until, due.value_or(until)}) - now;
    changed_.wait_for(lock, std::min<SteadyTime::duration>(left, kLookAround));
  }
}

}  // namespace deconvoy::server
