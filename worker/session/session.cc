#include "worker/session/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/executor/crash_point.h"
#include "worker/session/backoff.h"
#include "worker/session/registration.h"
#include "worker/session/task_io.h"

namespace deconvoy::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A server that answers an idle worker without waiting is not asked more often than this.
constexpr milliseconds kLeastPause{20};

// Whether the server will never take this worker.
bool IsFinal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) ||
         absl::IsUnimplemented(status);
}

bool Named(const v1::SynchronizeRequest& request, const v1::Task& task) {
  return std::any_of(request.tasks().begin(), request.tasks().end(), [&](const v1::TaskStatus& status) {
    return status.task() == task.name() && status.token() == task.token();
  });
}

}  // namespace

Session::Session(SessionOptions options, v1::WorkerRegistration registration, TaskExecutor& executor,
                 const LogExcerpt& log)
    : options_(std::move(options)), registration_(std::move(registration)), executor_(executor), log_(log) {}

Session::~Session() = default;

absl::Status Session::Run() {
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerLink> link, ServerLink::Open(options_.server, options_.credential_file));
  spdlog::info("{}: serving {}", options_.worker, options_.server);
  std::thread computing([&] { Compute(*link); });
  const absl::Status status = Talk(*link);
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (held_ != nullptr) held_->stop().Stop();
    changed_.notify_all();
  }
  computing.join();
  return status;
}

void Session::Drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    ++events_;
    changed_.notify_all();
  }
  polling_.Stop();
}

void Session::Leave() {
  leaving_.Stop();
  Drain();
}

// --- the talking thread ---

absl::Status Session::Talk(ServerLink& link) {
  Backoff backoff(options_.first_backoff, options_.last_backoff);
  auto last_answer = steady_clock::now();
  bool away = false;
  while (!leaving_.stopped() && (!away || MayWaitForServer(last_answer))) {
    const v1::SynchronizeRequest request = MakeRequest();
    const absl::StatusOr<v1::SynchronizeResponse> response = Call(link, request, away);
    if (response.ok()) {
      if (std::exchange(away, false)) spdlog::info("{}: the server is back", options_.worker);
      backoff.Reset();
      last_answer = steady_clock::now();
      Absorb(request, *response);
      if (IsOver(request)) break;
      WaitForNext(milliseconds(response->next_call_ms()));
      continue;
    }
    const bool interrupted = request.free_slots() > 0 && polling_.stopped();
    if (interrupted && absl::IsCancelled(response.status())) continue;  // a long poll ended by Drain or Leave
    if (IsFinal(response.status())) return AddContext(response.status(), "the server refused this worker");
    if (!std::exchange(away, true)) {
      spdlog::warn("{}: the server is away: {}", options_.worker, LogText(response.status()));
    }
    if (MayWaitForServer(last_answer)) WaitForEvent(backoff.Next());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SynchronizeResponse> Session::Call(ServerLink& link, const v1::SynchronizeRequest& request,
                                                      bool wait_for_server) {
  const bool polls = request.free_slots() > 0;
  const auto context = link.NewContext(polls ? options_.idle_timeout : options_.busy_timeout);
  context->set_wait_for_ready(wait_for_server);
  const StopSignal::Guard guard(polls ? polling_ : leaving_, *context);
  v1::SynchronizeResponse response;
  RETURN_IF_ERROR(FromGrpc(link.stub().Synchronize(context.get(), request, &response)));
  return response;
}

// Without a nonce, and so without the spool, where none can be read: voxels then go through the server.
v1::WorkerRegistration Session::Introduction() const {
  v1::WorkerRegistration registration = registration_;
  if (options_.spool.empty()) return registration;
  if (absl::StatusOr<std::string> nonce = ReadSpoolNonce(options_.spool); nonce.ok()) {
    registration.set_spool_nonce(*std::move(nonce));
  } else {
    spdlog::warn("{}: working without the spool: {}", options_.worker, LogText(nonce.status()));
  }
  return registration;
}

v1::SynchronizeRequest Session::MakeRequest() {
  v1::SynchronizeRequest request;
  if (introduce_) *request.mutable_registration() = Introduction();
  const std::lock_guard lock(mutex_);
  events_told_ = events_;
  request.set_worker(options_.worker);
  for (const v1::TaskStatus& status : given_up_) *request.add_tasks() = status;
  if (held_ != nullptr) *request.add_tasks() = held_->Status();
  request.set_free_slots(held_ == nullptr && !draining_ ? 1 : 0);
  request.set_draining(draining_);
  return request;
}

void Session::Absorb(const v1::SynchronizeRequest& request, const v1::SynchronizeResponse& response) {
  introduce_ = response.register_();
  const std::lock_guard lock(mutex_);
  const auto reported = std::count_if(request.tasks().begin(), request.tasks().end(),
                                      [](const v1::TaskStatus& status) { return status.has_error(); });
  given_up_.erase(given_up_.begin(), given_up_.begin() + reported);
  AbsorbCancelled(request, response);
  if (response.drain()) draining_ = true;
  for (const v1::Task& task : response.assigned()) Take(task);
}

// REQUIRES: mutex_ is held.
void Session::AbsorbCancelled(const v1::SynchronizeRequest& request, const v1::SynchronizeResponse& response) {
  if (held_ == nullptr || !Named(request, held_->task())) return;
  const std::string& name = held_->task().name();
  if (std::find(response.cancelled().begin(), response.cancelled().end(), name) == response.cancelled().end()) return;
  if (!held_->stop().stopped()) spdlog::info("{}: stopping, the server does not want it any more", name);
  held_->stop().Stop();
}

// REQUIRES: mutex_ is held.
void Session::Take(const v1::Task& task) {
  if (held_ == nullptr && !draining_) {
    held_ = std::make_shared<HeldTask>(task);
    changed_.notify_all();
    return;
  }
  v1::TaskStatus status = HeldTask(task).Status();
  *status.mutable_error() = ToStored(
      MakeError({.reason = v1::SHUTTING_DOWN}, fmt::format("worker {} has no room for another task", options_.worker)));
  status.set_retry_elsewhere(true);
  given_up_.push_back(std::move(status));
  ++events_;
}

bool Session::IsOver(const v1::SynchronizeRequest& last) {
  const std::lock_guard lock(mutex_);
  return draining_ && last.draining() && last.tasks().empty() && held_ == nullptr && given_up_.empty();
}

bool Session::MayWaitForServer(steady_clock::time_point last_answer) {
  const std::lock_guard lock(mutex_);
  return !draining_ || (held_ != nullptr && steady_clock::now() - last_answer < options_.farewell);
}

void Session::WaitForNext(milliseconds server_allows) {
  if (introduce_) return;
  bool busy = false;
  {
    const std::lock_guard lock(mutex_);
    if (draining_ && held_ == nullptr) return;
    busy = held_ != nullptr;
  }
  const milliseconds most = busy ? options_.busy_interval : std::max(server_allows, kLeastPause);
  WaitForEvent(busy && server_allows.count() > 0 ? std::min(most, server_allows) : most);
}

void Session::WaitForEvent(milliseconds most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, most, [this] { return events_ != events_told_; });
}

// --- the computing thread ---

void Session::Compute(ServerLink& link) {
  for (;;) {
    std::shared_ptr<HeldTask> held;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return over_ || held_ != nullptr; });
      if (over_) return;
      held = held_;
    }
    Finish(*held, Perform(link, *held));
  }
}

absl::Status Session::Perform(ServerLink& link, HeldTask& held) {
  CrashPoint("worker-task-started");
  ASSIGN_OR_RETURN(const std::unique_ptr<TaskIo> io, TaskIo::Open(link, options_.worker, held));
  ASSIGN_OR_RETURN(const v1::TaskResult result, executor_.Execute(held.task(), *io));
  return io->Deliver(result);
}

void Session::Finish(HeldTask& held, const absl::Status& status) {
  v1::TaskStatus report = held.Status();
  const bool lost = held.stop().stopped() || ReasonOf(status) == v1::STALE_LEASE;
  if (status.ok()) {
    spdlog::info("{}: delivered", report.task());
  } else if (lost) {
    spdlog::info("{}: dropped: {}", report.task(), LogText(status));
  } else {
    spdlog::error("{}: given up: {}", report.task(), LogText(status));
    *report.mutable_error() = ToStored(status);
    // What the request or its data got wrong stays wrong on any worker.
    report.set_retry_elsewhere(!absl::IsInvalidArgument(status));
    report.set_log_excerpt(log_.Last());
  }
  const std::lock_guard lock(mutex_);
  if (!status.ok() && !lost) given_up_.push_back(std::move(report));
  held_.reset();
  ++events_;
  changed_.notify_all();
}

}  // namespace deconvoy::worker
