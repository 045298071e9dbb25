// The secret that tells workers from users: 32 random bytes, made anew at every start, in a file only the server's user
// reads.
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
  // Makes a secret and writes it to `file` (mode 0600, replaced in one step). STORAGE_FAILURE when that fails.
  static absl::StatusOr<WorkerCredential> Create(const std::filesystem::path& file);

  // OK when `authorization` is `Bearer` and the secret, else UNAUTHENTICATED_WORKER. Takes as long for a nearly right
  // one as for any other.
  absl::Status Check(std::string_view authorization) const;

 private:
  explicit WorkerCredential(std::string expected) : expected_(std::move(expected)) {}

  std::string expected_;  // the whole header
};

}  // namespace deconvoy::server
