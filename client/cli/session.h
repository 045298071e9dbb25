// The server that a command works with: one that runs somewhere, or a private one for the command's own time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "client/cli/local_server.h"
#include "client/cli/options/server_options.h"
#include "client/cli/progress.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// Connects to a server, with what `options` tell of access to it. Whenever a call has to wait for it, a note to
// `progress` says so and why, and another one that it answers again; in between the phase is `reconnect`. `progress`
// must outlive the client.
absl::StatusOr<Client> ConnectTo(const std::string& address, const ServerOptions& options, Progress& progress,
                                 const std::stop_token& stop);
// The same without anybody to tell.
absl::StatusOr<Client> ConnectTo(const std::string& address, const ServerOptions& options);

// A client of the server that is named or configured; RequireServer's error where there is none.
absl::StatusOr<Client> ConnectToServer(const ServerOptions& options);

class Session {
 public:
  // Connects to the chosen server (ConnectTo), or starts a local one. REQUIRES: on the main thread.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const ServerOptions& options, Progress& progress,
                                                       const std::stop_token& stop);

  const Client& client() const { return *client_; }
  bool local() const { return local_ != nullptr; }

  // The reason behind an error: a local server that cannot be reached has ended, and its log tells why.
  absl::Status Explain(const absl::Status& status) const;

  // Of the jobs that are submitted from now on, those that prepare the PSF included. NORMAL before.
  void set_job_class(v1::JobClass job_class) { job_class_ = job_class; }

  // Submits a job, of the session's class whatever `spec` says. Where the server has no worker yet, because it has just
  // been started, waits for one first.
  absl::StatusOr<v1::Job> Submit(v1::JobSpec spec, Progress& progress, const std::stop_token& stop);

  // What Submit would do. A local server's worker, which is just starting, is waited for.
  absl::StatusOr<v1::PreflightReport> Preflight(const v1::JobSpec& spec, Progress& progress,
                                                const std::stop_token& stop);

 private:
  absl::StatusOr<bool> HasWorker(const std::stop_token& stop) const;
  absl::Status WaitForWorker(absl::Duration limit, Progress& progress, const std::stop_token& stop);

  std::unique_ptr<LocalServer> local_;
  std::optional<Client> client_;
  v1::JobClass job_class_ = v1::NORMAL;
};

}  // namespace deconvoy::client
