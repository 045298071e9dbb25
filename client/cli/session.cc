#include "client/cli/session.h"

#include <absl/time/clock.h>

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr absl::Duration kWorkerLimit = absl::Minutes(2);
constexpr absl::Duration kWorkerPoll = absl::Milliseconds(20);

bool TakesWork(const v1::Worker& worker) {
  return worker.state() == v1::IDLE || worker.state() == v1::BUSY;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const ServerOptions& options) {
  auto session = std::make_unique<Session>();
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options));
  ConnectOptions connect;
  if (!server) {
    ASSIGN_OR_RETURN(session->local_, LocalServer::Start(ToLocal(options)));
    // A private server that is gone does not come back.
    connect.retry.total = absl::Seconds(5);
  }
  auto client = Client::Connect(server ? *server : session->local_->address(), connect);
  if (!client.ok() && session->local_) RETURN_IF_ERROR(session->local_->Check());
  if (!client.ok()) return client.status();
  session->client_ = *std::move(client);
  return session;
}

absl::Status Session::WaitForWorker(Progress& progress, const std::stop_token& stop) {
  if (!local_) return absl::OkStatus();
  progress.Show({.phase = "start worker"});
  for (const absl::Time limit = absl::Now() + kWorkerLimit; absl::Now() < limit; absl::SleepFor(kWorkerPoll)) {
    if (stop.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
    RETURN_IF_ERROR(local_->Check());
    ASSIGN_OR_RETURN(const auto workers, client_->ListWorkers());
    if (std::any_of(workers.begin(), workers.end(), TakesWork)) return absl::OkStatus();
  }
  return MakeError({.reason = v1::NO_WORKER, .remedy = "Run deconvoy-worker --self-test to see why."},
                   "the local worker does not take work after two minutes");
}

}  // namespace deconvoy::client
