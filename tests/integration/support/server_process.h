// A real `deconvoyd` on a Unix socket, or on a free port, with a state folder of its own, and workers started by the
// test.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/support/process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {

class ServerProcess {
 public:
  // `workers` local ones are started and supervised by the server. `folder` holds state, socket and logs.
  enum class Door { kUnixSocket, kPort };
  explicit ServerProcess(std::filesystem::path folder, int workers = 1, Door door = Door::kUnixSocket);

  // Starts it and waits until it serves; false when it ended instead or is not ready in time. With DECONVOY_CRASH_POINT
  // in its environment it dies at that point.
  bool Start(const std::map<std::string, std::string>& environment = {}, const std::vector<std::string>& more = {});
  void Kill() { process_.reset(); }
  // SIGTERM, and its exit.
  std::optional<Exit> Stop();
  Process& process() { return *process_; }

  // Of a port: once it has started.
  std::string address() const;
  std::filesystem::path state() const { return folder_ / "state"; }
  std::string Log() const { return process_ ? process_->Errors() : ""; }

  // `deconvoy VERB ... --server address`.
  CliResult Cli(std::vector<std::string> arguments, std::chrono::seconds limit = std::chrono::seconds(240)) const;

  // A worker of the test's own that dials this server; with `same_host` it uses the spool directly. With
  // DECONVOY_WORKER_CRASH_POINT in its environment it dies at that point.
  std::unique_ptr<Process> StartWorker(const std::string& label, bool same_host = true,
                                       const std::map<std::string, std::string>& environment = {},
                                       const std::vector<std::string>& more = {}) const;

 private:
  const std::filesystem::path folder_;
  const int workers_;
  const Door door_;
  int starts_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace deconvoy::testing
