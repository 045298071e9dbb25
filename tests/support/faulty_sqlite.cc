#include "tests/support/faulty_sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

namespace deconvoy::testing {

namespace {

namespace fs = std::filesystem;

// SQLite's part of an open file; the file of the real one lies behind it in the same memory.
struct ShimFile : sqlite3_file {
  struct State {
    FaultyFileSystem& rules;
    const fs::path path;
    bool syncs_folder;  // its next sync makes its name durable, too, as SQLite's own does for new logs and journals
  };
  State* state;
};

constexpr size_t kShimBytes = (sizeof(ShimFile) + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);

sqlite3_file* RealOf(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + kShimBytes);
}

ShimFile::State& StateOf(sqlite3_file* file) {
  return *static_cast<ShimFile*>(file)->state;
}

// SQLite's code for the next operation, SQLITE_OK where it works. Only writes are known to it as refused for want of
// room; of others it asks for the system's error.
int Next(FaultyFileSystem& rules, std::string_view operation, const fs::path& path, int code) {
  const absl::Status status = rules.Next(operation, path);
  if (status.ok()) return SQLITE_OK;
  const bool full = ReasonOf(status) == v1::DISK_FULL;
  errno = full ? ENOSPC : EIO;
  return full && operation == "write" ? SQLITE_FULL : code;
}

// Keeps what `bytes` at `offset` are before they change, and the length.
int Remember(sqlite3_file* file, sqlite3_int64 offset, sqlite3_int64 bytes) {
  sqlite3_file* real = RealOf(file);
  sqlite3_int64 size = 0;
  if (const int code = real->pMethods->xFileSize(real, &size); code != SQLITE_OK) return code;
  const sqlite3_int64 there = std::clamp<sqlite3_int64>(size - offset, 0, bytes);
  FaultyFileSystem::Undo undo{StateOf(file).path, offset, std::vector<std::byte>(static_cast<size_t>(there)), size};
  if (there > 0) {
    const int code = real->pMethods->xRead(real, undo.bytes.data(), static_cast<int>(there), offset);
    if (code != SQLITE_OK) return code;
  }
  StateOf(file).rules.Remember(std::move(undo));
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  sqlite3_file* real = RealOf(file);
  const int code = real->pMethods->xClose(real);
  delete static_cast<ShimFile*>(file)->state;
  file->pMethods = nullptr;
  return code;
}

int Read(sqlite3_file* file, void* target, int bytes, sqlite3_int64 offset) {
  const ShimFile::State& state = StateOf(file);
  if (const int code = Next(state.rules, "read", state.path, SQLITE_IOERR_READ); code != SQLITE_OK) return code;
  return RealOf(file)->pMethods->xRead(RealOf(file), target, bytes, offset);
}

int Write(sqlite3_file* file, const void* source, int bytes, sqlite3_int64 offset) {
  const ShimFile::State& state = StateOf(file);
  const int fault = Next(state.rules, "write", state.path, SQLITE_IOERR_WRITE);
  if (fault != SQLITE_OK && !state.rules.PutsHalf()) return fault;
  if (const int code = Remember(file, offset, bytes); code != SQLITE_OK) return code;
  const int put = fault == SQLITE_OK ? bytes : bytes / 2;
  const int code = RealOf(file)->pMethods->xWrite(RealOf(file), source, put, offset);
  if (fault == SQLITE_OK) return code;
  errno = ENOSPC;
  return fault;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const ShimFile::State& state = StateOf(file);
  if (const int code = Next(state.rules, "truncate", state.path, SQLITE_IOERR_TRUNCATE); code != SQLITE_OK) return code;
  sqlite3_int64 before = 0;
  int code = RealOf(file)->pMethods->xFileSize(RealOf(file), &before);
  if (code == SQLITE_OK) code = Remember(file, size, std::max<sqlite3_int64>(before - size, 0));
  return code == SQLITE_OK ? RealOf(file)->pMethods->xTruncate(RealOf(file), size) : code;
}

int Sync(sqlite3_file* file, int flags) {
  ShimFile::State& state = StateOf(file);
  if (const int code = Next(state.rules, "sync", state.path, SQLITE_IOERR_FSYNC); code != SQLITE_OK) return code;
  if (const int code = RealOf(file)->pMethods->xSync(RealOf(file), flags); code != SQLITE_OK) return code;
  state.rules.Synced(state.path);
  if (std::exchange(state.syncs_folder, false)) state.rules.SyncedNames(state.path.parent_path());
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const ShimFile::State& state = StateOf(file);
  if (const int code = Next(state.rules, "size", state.path, SQLITE_IOERR_FSTAT); code != SQLITE_OK) return code;
  return RealOf(file)->pMethods->xFileSize(RealOf(file), size);
}

int Lock(sqlite3_file* file, int level) {
  return RealOf(file)->pMethods->xLock(RealOf(file), level);
}

int Unlock(sqlite3_file* file, int level) {
  return RealOf(file)->pMethods->xUnlock(RealOf(file), level);
}

int CheckReservedLock(sqlite3_file* file, int* reserved) {
  return RealOf(file)->pMethods->xCheckReservedLock(RealOf(file), reserved);
}

// The file may grow ahead of what is written.
int FileControl(sqlite3_file* file, int operation, void* argument) {
  if (operation == SQLITE_FCNTL_SIZE_HINT) {
    const ShimFile::State& state = StateOf(file);
    if (const int code = Next(state.rules, "reserve", state.path, SQLITE_IOERR_WRITE); code != SQLITE_OK) return code;
    if (const int code = Remember(file, 0, 0); code != SQLITE_OK) return code;
  }
  return RealOf(file)->pMethods->xFileControl(RealOf(file), operation, argument);
}

int SectorSize(sqlite3_file* file) {
  return RealOf(file)->pMethods->xSectorSize(RealOf(file));
}

int DeviceCharacteristics(sqlite3_file* file) {
  return RealOf(file)->pMethods->xDeviceCharacteristics(RealOf(file));
}

int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
  const ShimFile::State& state = StateOf(file);
  if (const int code = Next(state.rules, "map", state.path, SQLITE_IOERR_SHMMAP); code != SQLITE_OK) return code;
  return RealOf(file)->pMethods->xShmMap(RealOf(file), region, bytes, extend, memory);
}

int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return RealOf(file)->pMethods->xShmLock(RealOf(file), offset, count, flags);
}

void ShmBarrier(sqlite3_file* file) {
  RealOf(file)->pMethods->xShmBarrier(RealOf(file));
}

int ShmUnmap(sqlite3_file* file, int remove) {
  return RealOf(file)->pMethods->xShmUnmap(RealOf(file), remove);
}

// Of version 2: with shared memory, without files that are mapped.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

std::string NewName() {
  static std::atomic<int> made = 0;
  return fmt::format("faulty-{}", ++made);
}

bool IsNewLog(int flags) {
  constexpr int kLogs = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  return (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kLogs) != 0;
}

}  // namespace

struct FaultySqlite::Vfs : sqlite3_vfs {
  explicit Vfs(FaultyFileSystem& given);

  // SQLite calls these with the Vfs itself.
  static Vfs& Of(sqlite3_vfs* vfs) { return *static_cast<Vfs*>(vfs); }
  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* given);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder);
  static int Access(sqlite3_vfs* vfs, const char* name, int flags, int* result);

  FaultyFileSystem& rules;
  sqlite3_vfs* const real;
  const std::string name;
};

// What is not about files is the real one's affair.
FaultySqlite::Vfs::Vfs(FaultyFileSystem& given)
    : sqlite3_vfs(*sqlite3_vfs_find(nullptr)), rules(given), real(sqlite3_vfs_find(nullptr)), name(NewName()) {
  szOsFile = static_cast<int>(kShimBytes) + real->szOsFile;
  pNext = nullptr;
  zName = name.c_str();
  xOpen = Open;
  xDelete = Delete;
  xAccess = Access;
}

int FaultySqlite::Vfs::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* given) {
  Vfs& self = Of(vfs);
  file->pMethods = nullptr;
  if (name == nullptr) return self.real->xOpen(self.real, name, file, flags, given);  // a scratch file of SQLite's own
  const fs::path path = name;
  if (const int code = Next(self.rules, "open", path, SQLITE_CANTOPEN); code != SQLITE_OK) return code;
  const bool existed = fs::exists(path);
  sqlite3_file* real = RealOf(file);
  if (const int code = self.real->xOpen(self.real, name, real, flags, given); code != SQLITE_OK) {
    if (real->pMethods != nullptr) real->pMethods->xClose(real);
    return code;
  }
  if (!existed) self.rules.Created(path);
  static_cast<ShimFile*>(file)->state = new ShimFile::State{self.rules, path, IsNewLog(flags)};
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int FaultySqlite::Vfs::Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Vfs& self = Of(vfs);
  const fs::path path = name;
  if (const int code = Next(self.rules, "remove", path, SQLITE_IOERR_DELETE); code != SQLITE_OK) return code;
  int code = SQLITE_OK;
  const absl::Status removed = self.rules.Rename(path, [&] {
    code = self.real->xDelete(self.real, name, sync_folder);
    return code == SQLITE_OK ? absl::OkStatus() : absl::InternalError("not removed");
  });
  if (removed.ok() && sync_folder != 0) self.rules.SyncedNames(path.parent_path());
  return code;
}

int FaultySqlite::Vfs::Access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  Vfs& self = Of(vfs);
  if (const int code = Next(self.rules, "look", name, SQLITE_IOERR_ACCESS); code != SQLITE_OK) return code;
  return self.real->xAccess(self.real, name, flags, result);
}

FaultySqlite::FaultySqlite(FaultyFileSystem& rules) : vfs_(std::make_unique<Vfs>(rules)) {
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultySqlite::~FaultySqlite() {
  sqlite3_vfs_unregister(vfs_.get());
}

const std::string& FaultySqlite::name() const {
  return vfs_->name;
}

}  // namespace deconvoy::testing
