// The server's state folder: who may use it, which format it has, where its parts lie.
//
//   lock               held by the running server; names its process
//   format             version of the folder's layout, and of the program that made it
//   deconvoy.sqlite    the store
//   spool/             the voxels
//   worker.credential  secret of the workers
//   workers.socket     where the server's own workers come in, where its ports speak TLS
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <utility>

namespace deconvoy::server {

inline constexpr int kStateFolderFormat = 1;

// Holds the folder's lock while it lives.
class StateFolder {
 public:
  // Opens the folder at `path`, or makes it (mode 0700). Errors: FAILED_PRECONDITION for a folder that another server
  // holds (naming its process) or that a newer program wrote (naming both versions); INVALID_FIELD for a folder with
  // foreign files or something that is no folder; STORAGE_FAILURE or DISK_FULL.
  static absl::StatusOr<StateFolder> Open(const std::filesystem::path& path);

  StateFolder(StateFolder&& other) noexcept : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}
  StateFolder& operator=(StateFolder&&) = delete;
  ~StateFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "deconvoy.sqlite"; }
  std::filesystem::path spool() const { return path_ / "spool"; }
  std::filesystem::path worker_credential() const { return path_ / "worker.credential"; }

 private:
  StateFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_;  // file descriptor; -1 when moved from
};

}  // namespace deconvoy::server
