#include "client/imageio/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "client/imageio/image_errors.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::imageio {
namespace {

constexpr mode_t kMode = 0666;  // less the umask
constexpr size_t kNameBytes = 200;

std::filesystem::path FolderOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// A name that no other file of this or another process under construction has.
std::filesystem::path PartName(const std::filesystem::path& path) {
  static std::atomic<uint64_t> count{0};
  return FolderOf(path) /
         fmt::format(".{}.part-{}-{}", path.filename().string().substr(0, kNameBytes), getpid(), count++);
}

absl::Status CheckRoom(const std::filesystem::path& path, int64_t need_bytes) {
  struct statvfs disk {};
  if (need_bytes <= 0 || statvfs(FolderOf(path).c_str(), &disk) != 0) return absl::OkStatus();
  const auto free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (static_cast<uint64_t>(need_bytes) <= free_bytes) return absl::OkStatus();
  return MakeError({.reason = v1::DISK_FULL,
                    .remedy = "Free some room there or choose another place.",
                    .metadata = {{"path", path.string()},
                                 {"need_bytes", fmt::to_string(need_bytes)},
                                 {"free_bytes", fmt::to_string(free_bytes)}}},
                   fmt::format("{}: cannot be written: {} bytes are needed, {} are free on that disk", path.string(),
                               need_bytes, free_bytes));
}

absl::Status SyncFolder(const std::filesystem::path& path) {
  const int folder = open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return absl::OkStatus();  // a folder that may be written but not read
  const int result = fsync(folder);
  const int error = errno;
  close(folder);
  // Some network file systems cannot sync a folder.
  return result == 0 || error == EINVAL ? absl::OkStatus() : SystemError(path, "synced", error);
}

}  // namespace

absl::Status CheckPlace(const std::filesystem::path& path) {
  if (!path.has_filename()) return FileError(path, "is not the name of a file", "Give a file name.");
  const std::filesystem::path folder = FolderOf(path);
  struct stat state {};
  if (stat(folder.c_str(), &state) != 0) {
    if (errno != ENOENT) return SystemError(folder, "examined", errno);
    return FileError(path, fmt::format("cannot be written: the folder {} does not exist", folder.string()),
                     "Create the folder first or choose another.");
  }
  if (!S_ISDIR(state.st_mode)) {
    return FileError(path, fmt::format("cannot be written: {} is not a folder", folder.string()),
                     "Choose another place.");
  }
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return FileError(path, fmt::format("cannot be written: the folder {} is not writable", folder.string()),
                     "Change its permissions or choose another.");
  }
  if (stat(path.c_str(), &state) == 0 && !S_ISREG(state.st_mode)) {
    return FileError(path, S_ISDIR(state.st_mode) ? "is a folder, not a file" : "is not a regular file",
                     "Give another name.");
  }
  return absl::OkStatus();
}

OutputFile::OutputFile(std::filesystem::path path, int64_t need_bytes, bool overwrite)
    : path_(std::move(path)), part_(PartName(path_)), need_bytes_(need_bytes), overwrite_(overwrite) {}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::filesystem::path& path, int64_t need_bytes,
                                                               bool overwrite) {
  RETURN_IF_ERROR(CheckPlace(path));
  struct stat state {};
  if (!overwrite && lstat(path.c_str(), &state) == 0) {
    return FileError(path, "exists already", "Give another name or allow it to be replaced.");
  }
  RETURN_IF_ERROR(CheckRoom(path, need_bytes));
  std::unique_ptr<OutputFile> file(new OutputFile(path, need_bytes, overwrite));
  RETURN_IF_ERROR(file->Open());
  return file;
}

absl::Status OutputFile::Open() {
  descriptor_ = open(FolderOf(path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor_ >= 0) return absl::OkStatus();
  descriptor_ = open(part_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor_ < 0) return SystemError(path_, "created", errno, need_bytes_);
  has_part_name_ = true;
  return absl::OkStatus();
}

OutputFile::~OutputFile() {
  if (has_part_name_) unlink(part_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status OutputFile::WriteAt(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t now = pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return SystemError(path_, "written", errno, need_bytes_);
    bytes = bytes.subspan(static_cast<size_t>(now));
    offset += now;
  }
  return absl::OkStatus();
}

absl::Status OutputFile::ReadAt(int64_t offset, std::span<std::byte> target) const {
  while (!target.empty()) {
    const ssize_t now = pread(descriptor_, target.data(), target.size(), offset);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) return SystemError(path_, "read back", now < 0 ? errno : EIO);
    target = target.subspan(static_cast<size_t>(now));
    offset += now;
  }
  return absl::OkStatus();
}

void OutputFile::StartWriting() const {
  sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE);  // where it cannot, Commit takes longer
}

absl::Status OutputFile::GiveName() {
  if (!has_part_name_) {
    const std::string link = fmt::format("/proc/self/fd/{}", descriptor_);
    if (linkat(AT_FDCWD, link.c_str(), AT_FDCWD, part_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return SystemError(path_, "given its name", errno);
    }
    has_part_name_ = true;
  }
  if (overwrite_) {
    if (rename(part_.c_str(), path_.c_str()) != 0) return SystemError(path_, "given its name", errno);
    has_part_name_ = false;
    return absl::OkStatus();
  }
  if (link(part_.c_str(), path_.c_str()) == 0) return absl::OkStatus();  // the other name goes with the object
  if (errno == EEXIST) return FileError(path_, "exists by now", "Give another name or allow it to be replaced.");
  return SystemError(path_, "given its name", errno);
}

absl::Status OutputFile::Commit() {
  if (fsync(descriptor_) != 0) return SystemError(path_, "synced", errno, need_bytes_);
  RETURN_IF_ERROR(GiveName());
  return SyncFolder(path_);
}

}  // namespace deconvoy::imageio
