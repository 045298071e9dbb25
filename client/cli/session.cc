#include "client/cli/session.h"

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr absl::Duration kLocalWorkerLimit = absl::Minutes(2);
constexpr absl::Duration kRemoteWorkerLimit = absl::Seconds(20);
constexpr absl::Duration kWorkerPoll = absl::Milliseconds(20);

bool TakesWork(const v1::Worker& worker) {
  return worker.state() == v1::IDLE || worker.state() == v1::BUSY;
}

OutageObserver TellOutages(const std::string& address, Progress& progress) {
  return [address, &progress, told = std::make_shared<bool>(false)](const Outage& outage) {
    if (outage.over) {
      if (std::exchange(*told, false))
        progress.Say({.message = fmt::format("the server at {} answers again", address)});
      return;
    }
    const double seconds = std::round(absl::ToDoubleSeconds(outage.tries_for));
    if (!std::exchange(*told, true))
      progress.Say({.message = fmt::format("{}; trying again for {}", Printable(std::string(outage.error.message())),
                                           DurationText(seconds))});
    progress.Show({.phase = "reconnect",
                   .detail = fmt::format("giving up in {}", DurationText(seconds)),
                   .figures = {{"gives_up_in_s", seconds}}});
  };
}

// A private server asks nobody who they are.
absl::StatusOr<Client> ConnectToPrivate(const std::string& address, const ServerOptions& options, Progress& progress,
                                        const std::stop_token& stop) {
  ConnectOptions connect;
  connect.compression = CompressionOf(options);
  connect.on_outage = TellOutages(Printable(address), progress);
  // One that is gone does not come back.
  connect.retry.total = absl::Seconds(5);
  return Client::Connect(address, connect, stop);
}

}  // namespace

absl::StatusOr<Client> ConnectTo(const std::string& address, const ServerOptions& options, Progress& progress,
                                 const std::stop_token& stop) {
  ConnectOptions connect;
  connect.on_outage = TellOutages(Printable(address), progress);
  connect.compression = CompressionOf(options);
  ASSIGN_OR_RETURN(connect.access, AccessTo(address, options));
  return Client::Connect(address, connect, stop);
}

absl::StatusOr<Client> ConnectTo(const std::string& address, const ServerOptions& options) {
  ConnectOptions connect;
  connect.compression = CompressionOf(options);
  ASSIGN_OR_RETURN(connect.access, AccessTo(address, options));
  return Client::Connect(address, connect);
}

absl::StatusOr<Client> ConnectToServer(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options));
  return ConnectTo(server, options);
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const ServerOptions& options, Progress& progress,
                                                       const std::stop_token& stop) {
  auto session = std::make_unique<Session>();
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options));
  if (!server) {
    ASSIGN_OR_RETURN(session->local_, LocalServer::Start(ToLocal(options), stop));
  }
  auto client = server ? ConnectTo(*server, options, progress, stop)
                       : ConnectToPrivate(session->local_->address(), options, progress, stop);
  if (!client.ok() && session->local_) RETURN_IF_ERROR(session->local_->Check());
  if (!client.ok()) return client.status();
  session->client_ = *std::move(client);
  return session;
}

absl::Status Session::Explain(const absl::Status& status) const {
  if (local_ && IsRetryable(status)) RETURN_IF_ERROR(local_->Check());
  return status;
}

absl::StatusOr<v1::Job> Session::Submit(v1::JobSpec spec, Progress& progress, const std::stop_token& stop) {
  spec.set_job_class(job_class_);
  if (local_) RETURN_IF_ERROR(WaitForWorker(kLocalWorkerLimit, progress, stop));
  auto job = client_->Submit(spec, stop);
  if (local_ || ReasonOf(job.status()) != v1::NO_WORKER) return job;
  ASSIGN_OR_RETURN(const bool has_worker, HasWorker(stop));
  if (has_worker) return job;
  RETURN_IF_ERROR(WaitForWorker(kRemoteWorkerLimit, progress, stop));
  return client_->Submit(spec, stop);
}

absl::StatusOr<v1::PreflightReport> Session::Preflight(const v1::JobSpec& spec, Progress& progress,
                                                       const std::stop_token& stop) {
  if (local_) RETURN_IF_ERROR(WaitForWorker(kLocalWorkerLimit, progress, stop));
  return client_->Preflight(spec, stop);
}

absl::StatusOr<bool> Session::HasWorker(const std::stop_token& stop) const {
  ASSIGN_OR_RETURN(const auto workers, client_->ListWorkers(stop));
  return std::any_of(workers.begin(), workers.end(), TakesWork);
}

absl::Status Session::WaitForWorker(absl::Duration limit, Progress& progress, const std::stop_token& stop) {
  for (const absl::Time end = absl::Now() + limit; absl::Now() < end; absl::SleepFor(kWorkerPoll)) {
    if (stop.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
    if (local_) RETURN_IF_ERROR(local_->Check());
    ASSIGN_OR_RETURN(const bool has_worker, HasWorker(stop));
    if (has_worker) return absl::OkStatus();
    progress.Show({.phase = "wait for a worker"});
  }
  return MakeError(
      {.reason = v1::NO_WORKER, .remedy = "Run `deconvoy-worker --self-test` to see whether one can work."},
      fmt::format("no worker takes work within {}", absl::FormatDuration(limit)));
}

}  // namespace deconvoy::client
