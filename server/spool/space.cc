#include "server/spool/space.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {

absl::Status SpoolSpace::NoRoom(const std::filesystem::path& path, int64_t bytes, int64_t free,
                                std::string_view message) const {
  return MakeError({.reason = v1::DISK_FULL,
                    .remedy = remedy_,
                    .metadata = {{"path", path.string()},
                                 {"need_bytes", fmt::to_string(bytes)},
                                 {"free_bytes", fmt::to_string(free)}}},
                   message);
}

absl::Status SpoolSpace::CheckRoom(const std::filesystem::path& path, int64_t bytes) const {
  ASSIGN_OR_RETURN(const int64_t free, FreeBytes());
  if (bytes <= free) return absl::OkStatus();
  return NoRoom(path, bytes, free,
                fmt::format("{}: {} bytes are needed, but only {} are free for volumes (`limits.keep_free_bytes` keeps "
                            "{} of the disk free)",
                            directory_.string(), bytes, free, keep_free_bytes_));
}

absl::StatusOr<std::unique_ptr<File>> SpoolSpace::CreateFile(const std::filesystem::path& path, int64_t bytes) {
  std::lock_guard creating(creating_);
  RETURN_IF_ERROR(CheckRoom(path, bytes));
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.Create(path));
  Count(path, bytes);
  if (absl::Status reserved = file->Reserve(bytes); !reserved.ok()) {
    RemoveFile(path);
    if (ReasonOf(reserved) != v1::DISK_FULL) return reserved;
    // Others have taken the room meanwhile, or a quota of the system leaves less than the disk has.
    return NoRoom(path, bytes, FreeBytes().value_or(0), std::string(reserved.message()));
  }
  return file;
}

void SpoolSpace::Count(const std::filesystem::path& path, int64_t bytes) {
  std::lock_guard lock(mutex_);
  if (sizes_.emplace(path, bytes).second) used_bytes_ += bytes;
}

void SpoolSpace::RemoveFile(const std::filesystem::path& path) {
  if (absl::Status removed = files_.Remove(path); !removed.ok()) {
    spdlog::warn("{}; it is removed at the next start", std::string(removed.message()));
  }
  std::lock_guard lock(mutex_);
  const auto found = sizes_.find(path);
  if (found == sizes_.end()) return;
  used_bytes_ -= found->second;
  sizes_.erase(found);
}

absl::StatusOr<int64_t> SpoolSpace::FreeBytes() const {
  ASSIGN_OR_RETURN(const int64_t free, files_.FreeBytes(directory_));
  return std::max<int64_t>(free - keep_free_bytes_, 0);
}

int64_t SpoolSpace::UsedBytes() const {
  std::lock_guard lock(mutex_);
  return used_bytes_;
}

}  // namespace deconvoy::server
