// The secret that tells workers from users: 32 random bytes in a file that only the server's user reads. It is kept
// across restarts, so that workers from elsewhere find their server again; deleting the file makes a new one.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace deconvoy::server {

// Immutable, thread safe.
class WorkerCredential {
 public:
  // The secret in `file`, or a new one when the file holds none. The file has mode 0600 afterwards. STORAGE_FAILURE
  // when it cannot be written.
  static absl::StatusOr<WorkerCredential> Open(const std::filesystem::path& file);

  // OK when `authorization` is `Bearer` and the secret, else UNAUTHENTICATED_WORKER. Takes as long for a nearly right
  // one as for any other.
  absl::Status Check(std::string_view authorization) const;

 private:
  explicit WorkerCredential(std::string expected) : expected_(std::move(expected)) {}

  std::string expected_;  // the whole header
};

}  // namespace deconvoy::server
