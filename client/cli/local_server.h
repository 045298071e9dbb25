// A private deconvoyd with one worker, for commands that need no configured server.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace deconvoy::client {

struct LocalServerOptions {
  int threads = 0;         // of the worker; 0: all processors
  int64_t memory_mib = 0;  // that one task may use; 0: three quarters of the machine's
};

// Runs from Start until it is destroyed. Everything it keeps lies in a folder of its own, mode 0700, under
// $DECONVOY_SCRATCH, else $TMPDIR, else /var/tmp, which is removed with it. It ends with this process whatever ends
// this process; then deconvoyd removes the folder. REQUIRES: started on a thread that lives to the end of the process.
class LocalServer {
 public:
  // Returns when the server's socket is there. Errors: the folder cannot be made, the program is missing, or it ended;
  // then with the last lines of its log.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const LocalServerOptions& options);

  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  // `unix:/...`
  std::string address() const { return "unix:" + socket_.string(); }

  // OK while it runs.
  absl::Status Check();

 private:
  explicit LocalServer(std::filesystem::path folder);

  absl::Status Spawn(const LocalServerOptions& options);
  absl::Status WaitUntilServing();
  std::string LastLogLines() const;
  bool Ended();  // reaps the process
  void Stop();

  const std::filesystem::path folder_;
  const std::filesystem::path socket_;
  const std::filesystem::path log_;
  pid_t process_ = 0;  // 0: none
};

}  // namespace deconvoy::client
