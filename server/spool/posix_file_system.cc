#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/spool/file_system.h"

namespace deconvoy::server {
namespace {

constexpr int64_t kWritingBytes = 128 * 1024;  // smaller pieces are left to Sync

namespace fs = std::filesystem;

// `need_bytes` is told only for a full disk; 0 when not known.
absl::Status SystemError(const fs::path& path, std::string_view action, int error, int64_t need_bytes = 0) {
  const std::string text =
      fmt::format("{}: cannot {}: {}", path.string(), action, std::generic_category().message(error));
  ErrorDetails details{.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path.string()}}};
  if (error == ENOSPC || error == EDQUOT) {
    details.reason = v1::DISK_FULL;
    details.remedy = "Free space on the disk of this file.";
    details.metadata["need_bytes"] = fmt::to_string(need_bytes);
  }
  return MakeError(details, text);
}

// Calls `call` again while a signal interrupts it.
template <typename Call>
auto Retry(const Call& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

bool IsDirect(int64_t offset, std::span<const std::byte> source) {
  const auto place = static_cast<int64_t>(reinterpret_cast<uintptr_t>(source.data()));
  return !source.empty() && (offset | place | static_cast<int64_t>(source.size())) % kDirectBytes == 0;
}

class PosixFile final : public File {
 public:
  PosixFile(fs::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PosixFile() override {
    close(descriptor_);
    if (direct_ && *direct_ >= 0) close(*direct_);
    if (direct_reading_ >= 0) close(direct_reading_);
  }

  absl::Status ReadAt(int64_t offset, std::span<std::byte> target) const override {
    while (!target.empty()) {
      const ssize_t got = Retry([&] { return pread(descriptor_, target.data(), target.size(), offset); });
      if (got < 0) return SystemError(path_, "read", errno);
      if (got == 0) {
        return MakeError(
            {.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path_.string()}}},
            fmt::format("{}: the file ends at byte {}, {} bytes early", path_.string(), offset, target.size()));
      }
      target = target.subspan(static_cast<size_t>(got));
      offset += got;
    }
    return absl::OkStatus();
  }

  // To read with RWF_NOWAIT would have the system read ahead, into the cache.
  bool IsCached(int64_t offset, int64_t bytes) const override {
    const int64_t begin = offset / kDirectBytes * kDirectBytes;
    const auto length = static_cast<size_t>(offset + bytes - begin);
    if (bytes == 0) return true;
    void* const mapped = mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor_, begin);
    if (mapped == MAP_FAILED) return true;
    std::vector<unsigned char> pages(length / static_cast<size_t>(sysconf(_SC_PAGESIZE)) + 1, 1);
    const bool told = mincore(mapped, length, pages.data()) == 0;
    munmap(mapped, length);
    return !told || std::ranges::all_of(pages, [](unsigned char page) { return (page & 1) != 0; });
  }

  absl::Status ReadPast(int64_t offset, std::span<std::byte> target, std::span<std::byte> aligned) const override {
    while (!target.empty()) {
      const int64_t begin = offset / kDirectBytes * kDirectBytes, skipped = offset - begin;
      const int64_t end = offset + static_cast<int64_t>(target.size());
      const auto wanted = static_cast<size_t>((end - begin + kDirectBytes - 1) / kDirectBytes * kDirectBytes);
      const int64_t got = ReadDirect(begin, aligned.first(std::min(aligned.size(), wanted)));
      if (got <= skipped) break;
      const auto part = aligned.subspan(static_cast<size_t>(skipped))
                            .first(std::min(static_cast<size_t>(got - skipped), target.size()));
      std::ranges::copy(part, target.begin());
      target = target.subspan(part.size());
      offset += static_cast<int64_t>(part.size());
    }
    return ReadAt(offset, target);
  }

  absl::Status WriteAt(int64_t offset, std::span<const std::byte> source) override {
    if (IsDirect(offset, source)) {
      ASSIGN_OR_RETURN(const int64_t put, WriteDirect(offset, source));
      source = source.subspan(static_cast<size_t>(put));
      offset += put;
    }
    const int64_t begin = offset;
    while (!source.empty()) {
      const ssize_t put = Retry([&] { return pwrite(descriptor_, source.data(), source.size(), offset); });
      if (put < 0) return SystemError(path_, "write", errno, static_cast<int64_t>(source.size()));
      source = source.subspan(static_cast<size_t>(put));
      offset += put;
    }
    // The disk begins at once, so that Sync need not wait for all of it.
    if (offset - begin >= kWritingBytes) sync_file_range(descriptor_, begin, offset - begin, SYNC_FILE_RANGE_WRITE);
    return absl::OkStatus();
  }

  absl::Status Reserve(int64_t bytes) override {
    if (bytes == 0) return absl::OkStatus();
    // What cannot fit is not tried: it would take all room from others until it fails.
    struct statvfs disk;
    if (fstatvfs(descriptor_, &disk) == 0 &&
        bytes / static_cast<int64_t>(disk.f_frsize) > static_cast<int64_t>(disk.f_bavail))
      return SystemError(path_, fmt::format("reserve {} bytes", bytes), ENOSPC, bytes);
    if (Retry([&] { return fallocate(descriptor_, 0, 0, bytes); }) == 0) return absl::OkStatus();
    if (errno != EOPNOTSUPP) return SystemError(path_, fmt::format("reserve {} bytes", bytes), errno, bytes);
    int error = posix_fallocate(descriptor_, 0, bytes);
    while (error == EINTR) error = posix_fallocate(descriptor_, 0, bytes);
    if (error == 0) return absl::OkStatus();
    return SystemError(path_, fmt::format("reserve {} bytes", bytes), error, bytes);
  }

  absl::Status Sync() override {
    if (fdatasync(descriptor_) != 0) return SystemError(path_, "sync", errno);
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Size() const override {
    struct stat status;
    if (fstat(descriptor_, &status) != 0) return SystemError(path_, "ask for the size", errno);
    return int64_t{status.st_size};
  }

 private:
  // Bytes read past the page cache; none where that cannot be done, or went wrong.
  int64_t ReadDirect(int64_t offset, std::span<std::byte> aligned) const {
    std::call_once(direct_reading_tried_, [this] {
      direct_reading_ = Retry([&] { return open(path_.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC); });
    });
    if (direct_reading_ < 0) return 0;
    return std::max<int64_t>(0, Retry([&] { return pread(direct_reading_, aligned.data(), aligned.size(), offset); }));
  }

  // Returns how much was written past the page cache: nothing where that cannot be done, and what is left is written
  // as usual.
  absl::StatusOr<int64_t> WriteDirect(int64_t offset, std::span<const std::byte> source) {
    if (!direct_) direct_ = Retry([&] { return open(path_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); });
    if (*direct_ < 0) return 0;
    const ssize_t put = Retry([&] { return pwrite(*direct_, source.data(), source.size(), offset); });
    if (put >= 0) return put;
    if (errno != EINVAL) return SystemError(path_, "write", errno, static_cast<int64_t>(source.size()));
    close(*direct_);
    direct_ = -1;
    return 0;
  }

  const fs::path path_;
  const int descriptor_;
  std::optional<int> direct_;  // for WriteDirect, once it is needed; -1 where the disk has no such thing
  mutable std::once_flag direct_reading_tried_;
  mutable int direct_reading_ = -1;  // the same for ReadDirect
};

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(const fs::path& path) override {
    return OpenWith(path, "create", O_RDWR | O_CREAT | O_EXCL);
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const fs::path& path, bool writable) override {
    return OpenWith(path, "open", writable ? O_RDWR : O_RDONLY);
  }

  absl::Status Remove(const fs::path& path) override {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError(path, "remove", errno);
    return absl::OkStatus();
  }

  absl::Status Link(const fs::path& existing, const fs::path& path) override {
    const fs::path beside =
        path.parent_path() / fmt::format("{}.link{}", path.stem().string(), path.extension().string());
    RETURN_IF_ERROR(Remove(beside));
    if (link(existing.c_str(), beside.c_str()) != 0) return SystemError(beside, "link", errno);
    if (rename(beside.c_str(), path.c_str()) == 0) {
      unlink(beside.c_str());  // still there where both were one file already
      return absl::OkStatus();
    }
    absl::Status failed = SystemError(path, "replace", errno);
    unlink(beside.c_str());
    return failed;
  }

  absl::Status MakeDirectories(const fs::path& path) override {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return SystemError(path, "make the folder", error.value());
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const fs::path& path) override {
    const int descriptor = Retry([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return SystemError(path, "open", errno);
    const int error = fsync(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    return error == 0 ? absl::OkStatus() : SystemError(path, "sync", error);
  }

  absl::StatusOr<std::vector<fs::path>> List(const fs::path& path) override {
    std::vector<fs::path> entries;
    std::error_code error;
    fs::directory_iterator entry(path, error);
    while (!error && entry != fs::directory_iterator()) {
      entries.push_back(entry->path());
      entry.increment(error);
    }
    if (error) return SystemError(path, "list", error.value());
    return entries;
  }

  absl::StatusOr<int64_t> FreeBytes(const fs::path& path) override {
    struct statvfs status;
    if (statvfs(path.c_str(), &status) != 0) return SystemError(path, "ask for free space", errno);
    return static_cast<int64_t>(status.f_bavail * status.f_frsize);
  }
  absl::StatusOr<int64_t> CapacityBytes(const fs::path& path) override {
    struct statvfs status;
    if (statvfs(path.c_str(), &status) != 0) return SystemError(path, "ask for the size of its disk", errno);
    const auto kept = status.f_bfree - status.f_bavail;
    return static_cast<int64_t>((status.f_blocks - kept) * status.f_frsize);
  }

 private:
  static absl::StatusOr<std::unique_ptr<File>> OpenWith(const fs::path& path, std::string_view action, int flags) {
    const int descriptor = Retry([&] { return open(path.c_str(), flags | O_CLOEXEC, 0600); });
    if (descriptor < 0) return SystemError(path, action, errno);
    return std::make_unique<PosixFile>(path, descriptor);
  }
};

}  // namespace

std::unique_ptr<FileSystem> MakePosixFileSystem() {
  return std::make_unique<PosixFileSystem>();
}

}  // namespace deconvoy::server
