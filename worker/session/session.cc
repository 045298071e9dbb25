#include "worker/session/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/session/backoff.h"
#include "worker/session/registration.h"
#include "worker/session/stages.h"

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

// Without a budget memory does not matter.
int64_t BudgetOf(const v1::WorkerRegistration& registration) {
  const uint64_t bytes = registration.memory_budget_bytes();
  return bytes > 0 ? static_cast<int64_t>(bytes) : std::numeric_limits<int64_t>::max();
}

// Whether it goes on with no task and asks for one: the server may let it wait.
bool Polls(const v1::SynchronizeRequest& request) {
  return request.free_slots() > 0 && std::all_of(request.tasks().begin(), request.tasks().end(),
                                                 [](const v1::TaskStatus& status) { return status.has_error(); });
}

}  // namespace

Session::Session(SessionOptions options, v1::WorkerRegistration registration, TaskExecutor& executor,
                 const LogExcerpt& log)
    : options_(std::move(options)),
      registration_(std::move(registration)),
      executor_(executor),
      log_(log),
      line_(BudgetOf(registration_), options_.at_once) {}

Session::~Session() = default;

absl::Status Session::Run() {
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerLink> link,
                   ServerLink::Open(options_.server, options_.credential_file, options_.access));
  spdlog::info("{}: serving {}", options_.worker, options_.server);
  const Stages stages(line_, executor_, log_);
  const absl::Status status = Talk(*link);
  line_.End();
  return status;
}

void Session::Drain() {
  line_.Drain();
  polling_.Stop();
}

void Session::Leave() {
  leaving_.Stop();
  Drain();
}

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
      Absorb(link, request, *response);
      if (line_.IsOver(request)) break;
      WaitForNext(milliseconds(response->next_call_ms()));
      continue;
    }
    const bool interrupted = Polls(request) && polling_.stopped();
    if (interrupted && absl::IsCancelled(response.status())) continue;  // a long poll ended by Drain or Leave
    if (IsFinal(response.status())) return AddContext(response.status(), "the server refused this worker");
    if (!std::exchange(away, true)) {
      spdlog::warn("{}: the server is away: {}", options_.worker, LogText(response.status()));
    }
    if (MayWaitForServer(last_answer)) line_.WaitForNews(backoff.Next());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SynchronizeResponse> Session::Call(ServerLink& link, const v1::SynchronizeRequest& request,
                                                      bool wait_for_server) {
  const bool polls = Polls(request);
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
  request.set_worker(options_.worker);
  line_.Describe(request);
  return request;
}

void Session::Absorb(ServerLink& link, const v1::SynchronizeRequest& request, const v1::SynchronizeResponse& response) {
  introduce_ = response.register_();
  line_.Heard(request);
  const std::set<std::string> cancelled(response.cancelled().begin(), response.cancelled().end());
  for (const v1::TaskStatus& status : request.tasks()) {
    if (cancelled.contains(status.task())) line_.Cancel(status.task(), status.token());
  }
  if (std::exchange(drained_, response.drain()) != response.drain()) {
    spdlog::info(
        "{}: {}", options_.worker,
        drained_ ? "an administrator has drained it; it waits for that to be taken back" : "takes tasks again");
  }
  for (const v1::Task& task : response.assigned()) line_.Add(std::make_shared<Work>(link, options_.worker, task));
}

bool Session::MayWaitForServer(steady_clock::time_point last_answer) {
  return !line_.draining() || (line_.holds_any() && steady_clock::now() - last_answer < options_.farewell);
}

void Session::WaitForNext(milliseconds server_allows) {
  if (introduce_) return;
  const bool busy = line_.holds_any();
  if (!busy && line_.draining()) return;
  const milliseconds most = busy ? options_.busy_interval : std::max(server_allows, kLeastPause);
  line_.WaitForNews(busy && server_allows.count() > 0 ? std::min(most, server_allows) : most);
}

}  // namespace deconvoy::worker
