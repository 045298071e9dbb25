// A private deconvoyd with one worker, for commands that need no configured server.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "client/cli/private_folder.h"

namespace deconvoy::client {

struct LocalServerOptions {
  int threads = 0;         // of the worker; 0: all processors
  int64_t memory_mib = 0;  // that one task may use; 0: three quarters of the machine's, or 90 % of the GPU's
  bool gpu = false;        // the worker computes on the first GPU
};

// Runs from Start until it is destroyed. Everything it keeps lies in a folder of its own, mode 0700, under
// $DECONVOY_SCRATCH, else $TMPDIR, else /var/tmp, which is removed with it. It ends with this process whatever ends
// this process; then deconvoyd removes the folder, or, where both were killed, the next Start does. REQUIRES: started
// on a thread that lives to the end of the process.
class LocalServer {
 public:
  // Returns when the server serves. Errors: the folder cannot be made, the program is missing, or it ended; then with
  // the last lines of its log. CANCELLED when `stop` was requested.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const LocalServerOptions& options,
                                                            const std::stop_token& stop);

  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  // `unix:/...`
  std::string address() const { return "unix:" + folder_->socket().string(); }

  // OK while it runs.
  absl::Status Check();

 private:
  explicit LocalServer(std::unique_ptr<PrivateFolder> folder);

  absl::Status Spawn(const LocalServerOptions& options);
  absl::Status WaitUntilServing(const std::stop_token& stop);
  std::string LastLogLines() const;
  bool Ended();  // reaps the process
  void Stop();

  const std::unique_ptr<PrivateFolder> folder_;
  pid_t process_ = 0;  // 0: none
};

}  // namespace deconvoy::client
