// Workers as child processes of the server: started, watched, started again when they die.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/fleet/launcher.h"
#include "server/fleet/worker_command.h"

namespace deconvoy::server {

class WorkerSupervisor;

// How long to wait before a worker that died is started again: not at all after a healthy life, else doubled with every
// death.
struct Backoff {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{60'000};
  std::chrono::milliseconds healthy{10'000};
};

// Their errors and output go to the server's standard error. A worker that ends with exit code 0 has been asked to and
// is not started again. All of them end with the server, however it ends. Thread safe.
class LocalLauncher final : public Launcher {
 public:
  // One worker for each command.
  LocalLauncher(std::vector<Command> workers, ExitListener on_exit, const Backoff& backoff = {});
  ~LocalLauncher() override;

  absl::Status Start() override;
  void Stop(std::chrono::milliseconds grace) override;

 private:
  // Constant.
  const std::vector<Command> workers_;
  const ExitListener on_exit_;
  const Backoff backoff_;

  std::vector<std::unique_ptr<WorkerSupervisor>> supervisors_;  // filled by Start
};

}  // namespace deconvoy::server
