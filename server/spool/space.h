// The disk space of the spool: reserved before it is promised, given back when a file goes. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "server/spool/file_system.h"

namespace deconvoy::server {

class SpoolSpace {
 public:
  // `remedy` tells a caller for whom there is no room what to do.
  SpoolSpace(std::filesystem::path directory, int64_t keep_free_bytes, std::string remedy, FileSystem& files)
      : directory_(std::move(directory)),
        keep_free_bytes_(keep_free_bytes),
        remedy_(std::move(remedy)),
        files_(files) {}

  // Whether `bytes` more would fit now: DISK_FULL with `path`, `need_bytes` and `free_bytes` when not.
  absl::Status CheckRoom(int64_t bytes) const { return CheckRoom(directory_, bytes); }
  // A new file of `bytes` whose space is reserved; nothing is left behind on failure. DISK_FULL as from CheckRoom.
  absl::StatusOr<std::unique_ptr<File>> CreateFile(const std::filesystem::path& path, int64_t bytes);
  // Counts a file that is there already.
  void Count(const std::filesystem::path& path, int64_t bytes);
  // Removes a file; one that cannot be removed now is logged and goes at the next start.
  void RemoveFile(const std::filesystem::path& path);

  absl::StatusOr<int64_t> FreeBytes() const;  // that files may still take
  int64_t UsedBytes() const;                  // of all files counted

 private:
  absl::Status CheckRoom(const std::filesystem::path& path, int64_t bytes) const;
  absl::Status NoRoom(const std::filesystem::path& path, int64_t bytes, int64_t free, std::string_view message) const;

  const std::filesystem::path directory_;
  const int64_t keep_free_bytes_;
  const std::string remedy_;
  FileSystem& files_;
  // Makes new files take turns, so that no two count on the same room. Held over I/O; taken before mutex_.
  std::mutex creating_;
  mutable std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::map<std::filesystem::path, int64_t> sizes_;
  int64_t used_bytes_ = 0;
};

}  // namespace deconvoy::server
