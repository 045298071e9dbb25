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

class Session {
 public:
  // Connects to the chosen server, or starts a local one. REQUIRES: on the main thread.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const ServerOptions& options);

  const Client& client() const { return *client_; }
  bool local() const { return local_ != nullptr; }

  // The reason behind an error: a local server that cannot be reached has ended, and its log tells why.
  absl::Status Explain(const absl::Status& status) const;

  // Submits a job. Where the server has no worker yet, because it has just been started, waits for one first.
  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, Progress& progress, const std::stop_token& stop);

 private:
  absl::StatusOr<bool> HasWorker() const;
  absl::Status WaitForWorker(absl::Duration limit, Progress& progress, const std::stop_token& stop);

  std::unique_ptr<LocalServer> local_;
  std::optional<Client> client_;
};

}  // namespace deconvoy::client
