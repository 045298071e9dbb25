// The few file operations that the server's durability rests on, so that tests can make each of them fail.
//
// Thread safe. Errors carry the path and the system's message; a full disk is RESOURCE_EXHAUSTED with DISK_FULL and
// `path` and `need_bytes` in the metadata, everything else STORAGE_FAILURE.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace deconvoy::server {

// What is written at a multiple of it, from memory at a multiple of it, in a multiple of it, goes past the page cache
// where the disk can do that.
inline constexpr int64_t kDirectBytes = 4096;

// An open file. Closed by its destructor. Reading is thread safe, writing is not.
class File {
 public:
  virtual ~File() = default;
  // Reads or writes exactly the span's bytes at `offset`. Past the page cache or not, what was written is read.
  virtual absl::Status ReadAt(int64_t offset, std::span<std::byte> target) const = 0;
  virtual absl::Status WriteAt(int64_t offset, std::span<const std::byte> source) = 0;
  // Whether all of these bytes are in the page cache; also where that is not told.
  virtual bool IsCached(int64_t offset, int64_t bytes) const = 0;
  // As ReadAt, past the page cache where the disk can do that, through `aligned`: memory at a multiple of kDirectBytes,
  // a multiple long.
  virtual absl::Status ReadPast(int64_t offset, std::span<std::byte> target, std::span<std::byte> aligned) const = 0;
  // Reserves space for `bytes` from the start and makes the file that long.
  virtual absl::Status Reserve(int64_t bytes) = 0;
  // Makes what was written durable (fdatasync).
  virtual absl::Status Sync() = 0;
  virtual absl::StatusOr<int64_t> Size() const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // A new empty file; fails when it exists.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(const std::filesystem::path& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path, bool writable) = 0;
  virtual absl::Status Remove(const std::filesystem::path& path) = 0;  // no error when it is not there
  // Makes `path` another name of the file `existing`, in place of what it named before.
  virtual absl::Status Link(const std::filesystem::path& existing, const std::filesystem::path& path) = 0;
  virtual absl::Status MakeDirectories(const std::filesystem::path& path) = 0;
  virtual absl::Status SyncDirectory(const std::filesystem::path& path) = 0;
  virtual absl::StatusOr<std::vector<std::filesystem::path>> List(const std::filesystem::path& path) = 0;
  virtual absl::StatusOr<int64_t> FreeBytes(const std::filesystem::path& path) = 0;
  // Of the whole disk that holds `path`, without what the system keeps for itself.
  virtual absl::StatusOr<int64_t> CapacityBytes(const std::filesystem::path& path) = 0;
};

// The real one.
std::unique_ptr<FileSystem> MakePosixFileSystem();

}  // namespace deconvoy::server
