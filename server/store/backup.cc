#include "server/store/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/store/request_table.h"
#include "server/store/sqlite.h"
#include "server/store/store_audit.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokensAhead = int64_t{1} << 32;

absl::Status SystemError(const fs::path& path, std::string_view action, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return MakeError({.reason = full ? v1::DISK_FULL : v1::STORAGE_FAILURE,
                    .remedy = full ? "Free space on the disk of the backup, or choose another one." : "",
                    .metadata = {{"path", path.string()}}},
                   fmt::format("{}: cannot {}: {}", path.string(), action, std::generic_category().message(error)));
}

absl::Status Sync(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, "open", errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return error == 0 ? absl::OkStatus() : SystemError(path, "sync", error);
}

absl::Status CheckTarget(const fs::path& target) {
  std::error_code error;
  if (fs::exists(target, error)) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "backup",
                      .remedy = "Choose another name, for instance with the date in it.",
                      .metadata = {{"path", target.string()}}},
                     fmt::format("{} is there already, and backups replace nothing", target.string()));
  }
  if (fs::is_directory(fs::absolute(target).parent_path(), error)) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = "backup", .remedy = "Make it, or choose another.", .metadata = {}},
      fmt::format("the folder of {} is not there", target.string()));
}

// Looks at the copy, and moves its tokens ahead.
absl::Status Finish(const fs::path& copy) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(copy));
  RETURN_IF_ERROR(CheckSound(*database));
  RETURN_IF_ERROR(request_table::AdvanceTokens(*database, kTokensAhead).status());
  return database->Execute("PRAGMA journal_mode = DELETE");  // one file, without a log beside it
}

// An empty file, which the copy fills: it tells who uses the server, and lies where others may look.
absl::Status MakePrivate(const fs::path& copy) {
  const int descriptor = open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return SystemError(copy, "create", errno);
  close(descriptor);
  return absl::OkStatus();
}

absl::Status Copy(const fs::path& source, const fs::path& copy) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreAudit> audit, StoreAudit::Open(source));
  RETURN_IF_ERROR(MakePrivate(copy));
  RETURN_IF_ERROR(audit->CopyInto(copy));
  RETURN_IF_ERROR(Finish(copy));
  return Sync(copy);
}

}  // namespace

absl::Status BackUpDatabase(const fs::path& source, const fs::path& target) {
  RETURN_IF_ERROR(CheckTarget(target));
  const fs::path copy = target.string() + ".partial";
  std::error_code error;
  fs::remove(copy, error);
  absl::Status status = Copy(source, copy);
  if (status.ok() && rename(copy.c_str(), target.c_str()) != 0) status = SystemError(target, "write", errno);
  if (status.ok()) return Sync(fs::absolute(target).parent_path());
  for (const char* end : {"", "-wal", "-shm", "-journal"}) fs::remove(copy.string() + end, error);
  return status;
}

}  // namespace deconvoy::server
