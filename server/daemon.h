// The whole server: every room put together, started in order and stopped in the opposite one.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "server/config/server_config.h"

namespace deconvoy::server {

class Daemon {
 public:
  // Takes the state folder, recovers what is in it, and only then listens and starts workers. The file `address` in the
  // state folder, one address per line, is written last. Errors are those of the rooms: ExitCodeOf tells them apart.
  // `is_private`: the state folder is a temporary one of a single caller, who is advised accordingly when it is full.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const ServerConfig& config, bool is_private = false);
  virtual ~Daemon() = default;

  // Takes nothing new, lets running tasks finish for the configured time, then ends workers and calls. Everything is
  // safe on disk.
  virtual void Stop() = 0;
};

// 2 for what the operator wrote wrongly, 4 for an address that cannot be used, 3 for the state folder, `--token-file`
// and all else.
int ExitCodeOf(const absl::Status& status);

}  // namespace deconvoy::server
