// A child process of this server.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>

#include "server/fleet/worker_command.h"

namespace deconvoy::server {

// How a process ended.
struct ProcessEnd {
  bool by_signal = false;
  int code = 0;  // exit code, or the signal's number

  std::string Text() const;  // for people
};

class ChildProcess {
 public:
  // Starts `command` without standard input; what it prints goes to `output` (a file descriptor), its errors to this
  // program's. The child is killed when the calling *thread* ends, so start it from one that outlives it. It inherits
  // no other open files and no blocked signals.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Command& command, int output);
  ~ChildProcess();  // kills it if it still runs

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t id() const { return id_; }
  // Waits for its end. By one thread, once.
  ProcessEnd Wait();
  // Sends a signal; nothing happens when it has ended. From any thread.
  void Signal(int number);

 private:
  explicit ChildProcess(pid_t id) : id_(id) {}

  const pid_t id_;
  std::mutex mutex_;
  bool reaped_ = false;  // guarded by mutex_: from then on the id may be another process's
};

}  // namespace deconvoy::server
