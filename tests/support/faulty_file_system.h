// A file system whose n-th operation fails, whose free space can be set, and that can lose what was never synced, as a
// power cut does.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/spool/file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {

enum class Fault {
  kIoError,     // nothing happens, STORAGE_FAILURE
  kNoSpace,     // nothing happens, DISK_FULL
  kShortWrite,  // a write puts half of its bytes, then DISK_FULL; other operations as kIoError
};

// Thread safe. Every call on it and on its files is one operation.
class FaultyFileSystem final : public server::FileSystem {
 public:
  // `real` must outlive this and every file opened here must be closed before this goes. Files are to lie on the disk
  // of temporary folders.
  explicit FaultyFileSystem(server::FileSystem& real) : real_(real) {}

  // The n-th operation from now, counted from 1, fails; 0 for none.
  void FailAt(int64_t n, Fault fault) {
    std::lock_guard lock(mutex_);
    operations_ = 0;
    fail_at_ = n;
    fault_ = fault;
  }
  // FreeBytes answers `bytes` from now on; nullopt: what the disk has.
  void SetFreeBytes(std::optional<int64_t> bytes) {
    std::lock_guard lock(mutex_);
    free_bytes_ = bytes;
  }
  // Whether the operation of FailAt has come.
  bool failed() const {
    std::lock_guard lock(mutex_);
    return fail_at_ > 0 && operations_ >= fail_at_;
  }

  // Nothing works any more, as for a process that has died: every operation fails and changes nothing, until Resume or
  // DropUnsynced.
  void Halt() {
    std::lock_guard lock(mutex_);
    halted_ = true;
  }
  void Resume() {
    std::lock_guard lock(mutex_);
    halted_ = false;
  }

  // Takes back every write and reservation that no Sync followed, and gives every name back to the file, or to none,
  // that it had when its folder was last synced. REQUIRES: all files are closed.
  void DropUnsynced() {
    std::lock_guard lock(mutex_);
    for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) Restore(*undo);
    for (const auto& [path, before] : names_) {
      std::filesystem::remove(path);
      if (before) std::filesystem::rename(*before, path);
    }
    undos_.clear();
    names_.clear();
    halted_ = false;
  }

  // --- For other ways to files, such as SQLite's, that follow the same rules ---

  // What a range of a file, or its length, was before.
  struct Undo {
    std::filesystem::path path;
    int64_t offset = 0;
    std::vector<std::byte> bytes;
    int64_t size = 0;
  };

  // The next operation: whether it works. A write that fails with kShortWrite puts half of its bytes.
  absl::Status Next(std::string_view operation, const std::filesystem::path& path) {
    std::lock_guard lock(mutex_);
    if (halted_) {
      return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path.string()}}},
                       fmt::format("{}: nothing works any more", path.string()));
    }
    if (++operations_ != fail_at_) return absl::OkStatus();
    const bool full = fault_ == Fault::kNoSpace || (fault_ == Fault::kShortWrite && operation == "write");
    return MakeError({.reason = full ? v1::DISK_FULL : v1::STORAGE_FAILURE, .metadata = {{"path", path.string()}}},
                     fmt::format("{}: injected failure of operation {} ({})", path.string(), fail_at_, operation));
  }
  // Whether a write that has failed puts half of its bytes.
  bool PutsHalf() const {
    std::lock_guard lock(mutex_);
    return !halted_ && fault_ == Fault::kShortWrite;
  }
  // Before each change of a file.
  void Remember(Undo undo) {
    std::lock_guard lock(mutex_);
    undos_.push_back(std::move(undo));
  }
  // After the bytes of a file were synced.
  void Synced(const std::filesystem::path& path) {
    std::lock_guard lock(mutex_);
    Forget(path);
  }
  // After a file was made under a name that was free.
  void Created(const std::filesystem::path& path) {
    std::lock_guard lock(mutex_);
    names_.try_emplace(path);
  }
  // After the names in a folder were synced.
  void SyncedNames(const std::filesystem::path& folder) {
    std::lock_guard lock(mutex_);
    for (const auto& [name, before] : names_) {
      if (before && name.parent_path() == folder) Lose(*before);
    }
    std::erase_if(names_, [&](const auto& entry) { return entry.first.parent_path() == folder; });
  }
  // Lets `change` take its file from a name, and keeps that file where a power cut would bring it back.
  template <typename Change>
  absl::Status Rename(const std::filesystem::path& path, Change change) {
    std::lock_guard lock(mutex_);
    std::optional<std::filesystem::path> kept;
    if (!names_.contains(path) && std::filesystem::exists(path)) {
      // A forked process has a count of its own.
      kept = kept_.path() / fmt::format("{}-{}", getpid(), ++kept_files_);
      std::filesystem::create_hard_link(path, *kept);
    }
    if (absl::Status status = change(); !status.ok()) {
      if (kept) std::filesystem::remove(*kept);
      return status;
    }
    if (kept) {
      for (Undo& undo : undos_) {
        if (undo.path == path) undo.path = *kept;
      }
    } else {
      Forget(path);
    }
    const auto name = names_.try_emplace(path, kept).first;
    if (!name->second && !std::filesystem::exists(path)) names_.erase(name);
    return absl::OkStatus();
  }

  // --- FileSystem ---

  absl::StatusOr<std::unique_ptr<server::File>> Create(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("create", path));
    ASSIGN_OR_RETURN(std::unique_ptr<server::File> file, real_.Create(path));
    Created(path);
    return std::make_unique<FaultyFile>(*this, path, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<server::File>> Open(const std::filesystem::path& path, bool writable) override {
    RETURN_IF_ERROR(Next("open", path));
    ASSIGN_OR_RETURN(std::unique_ptr<server::File> file, real_.Open(path, writable));
    return std::make_unique<FaultyFile>(*this, path, std::move(file));
  }
  absl::Status Remove(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("remove", path));
    return Rename(path, [&] { return real_.Remove(path); });
  }
  absl::Status Link(const std::filesystem::path& existing, const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("link", path));
    return Rename(path, [&] { return real_.Link(existing, path); });
  }
  absl::Status MakeDirectories(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("make", path));
    return real_.MakeDirectories(path);
  }
  absl::Status SyncDirectory(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("sync", path));
    RETURN_IF_ERROR(real_.SyncDirectory(path));
    SyncedNames(path);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::filesystem::path>> List(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("list", path));
    return real_.List(path);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("free space", path));
    if (const std::optional<int64_t> set = free_bytes()) return *set;
    return real_.FreeBytes(path);
  }
  absl::StatusOr<int64_t> CapacityBytes(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(Next("capacity", path));
    return real_.CapacityBytes(path);
  }

 private:
  class FaultyFile final : public server::File {
   public:
    FaultyFile(FaultyFileSystem& system, std::filesystem::path path, std::unique_ptr<server::File> real)
        : system_(system), path_(std::move(path)), real_(std::move(real)) {}

    absl::Status ReadAt(int64_t offset, std::span<std::byte> target) const override {
      RETURN_IF_ERROR(system_.Next("read", path_));
      return real_->ReadAt(offset, target);
    }
    bool IsCached(int64_t offset, int64_t bytes) const override { return real_->IsCached(offset, bytes); }
    absl::Status ReadPast(int64_t offset, std::span<std::byte> target, std::span<std::byte> aligned) const override {
      RETURN_IF_ERROR(system_.Next("read", path_));
      return real_->ReadPast(offset, target, aligned);
    }
    absl::Status WriteAt(int64_t offset, std::span<const std::byte> source) override {
      const absl::Status fault = system_.Next("write", path_);
      if (!fault.ok() && !system_.PutsHalf()) return fault;
      RETURN_IF_ERROR(RememberRange(offset, static_cast<int64_t>(source.size())));
      if (!fault.ok()) {
        RETURN_IF_ERROR(real_->WriteAt(offset, source.first(source.size() / 2)));
        return fault;
      }
      return real_->WriteAt(offset, source);
    }
    absl::Status Reserve(int64_t bytes) override {
      RETURN_IF_ERROR(system_.Next("reserve", path_));
      RETURN_IF_ERROR(RememberRange(0, 0));
      return real_->Reserve(bytes);
    }
    absl::Status Sync() override {
      RETURN_IF_ERROR(system_.Next("sync", path_));
      RETURN_IF_ERROR(real_->Sync());
      system_.Synced(path_);
      return absl::OkStatus();
    }
    absl::StatusOr<int64_t> Size() const override {
      RETURN_IF_ERROR(system_.Next("size", path_));
      return real_->Size();
    }

   private:
    absl::Status RememberRange(int64_t offset, int64_t bytes) {
      ASSIGN_OR_RETURN(const int64_t size, real_->Size());
      const int64_t there = std::clamp<int64_t>(size - offset, 0, bytes);
      Undo undo{path_, offset, std::vector<std::byte>(static_cast<size_t>(there)), size};
      RETURN_IF_ERROR(real_->ReadAt(offset, undo.bytes));
      system_.Remember(std::move(undo));
      return absl::OkStatus();
    }

    FaultyFileSystem& system_;
    const std::filesystem::path path_;
    const std::unique_ptr<server::File> real_;
  };

  std::optional<int64_t> free_bytes() const {
    std::lock_guard lock(mutex_);
    return free_bytes_;
  }

  // No power cut brings this kept file back any more.
  void Lose(const std::filesystem::path& kept) {
    Forget(kept);
    std::filesystem::remove(kept);
  }

  void Forget(const std::filesystem::path& path) {
    std::erase_if(undos_, [&](const Undo& undo) { return undo.path == path; });
  }

  void Restore(const Undo& undo) {
    auto file = real_.Open(undo.path, true);
    if (!file.ok()) return;
    (*file)->WriteAt(undo.offset, undo.bytes).IgnoreError();
    std::filesystem::resize_file(undo.path, static_cast<uintmax_t>(undo.size));
  }

  server::FileSystem& real_;
  const TemporaryFolder kept_;  // files that have lost a name until the loss is synced
  mutable std::mutex mutex_;
  // --- guarded by mutex_ ---
  int64_t operations_ = 0;
  int64_t fail_at_ = 0;
  Fault fault_ = Fault::kIoError;
  bool halted_ = false;
  std::optional<int64_t> free_bytes_;
  std::vector<Undo> undos_;
  // Of every name that was changed since its folder was last synced, the file it had then, in `kept_`; nullopt for
  // none.
  std::map<std::filesystem::path, std::optional<std::filesystem::path>> names_;
  int64_t kept_files_ = 0;
};

// Passes everything on to a file system that outlives it, for servers that want to own theirs.
class BorrowedFileSystem final : public server::FileSystem {
 public:
  explicit BorrowedFileSystem(server::FileSystem& owner) : owner_(owner) {}

  absl::StatusOr<std::unique_ptr<server::File>> Create(const std::filesystem::path& path) override {
    return owner_.Create(path);
  }
  absl::StatusOr<std::unique_ptr<server::File>> Open(const std::filesystem::path& path, bool writable) override {
    return owner_.Open(path, writable);
  }
  absl::Status Remove(const std::filesystem::path& path) override { return owner_.Remove(path); }
  absl::Status Link(const std::filesystem::path& existing, const std::filesystem::path& path) override {
    return owner_.Link(existing, path);
  }
  absl::Status MakeDirectories(const std::filesystem::path& path) override { return owner_.MakeDirectories(path); }
  absl::Status SyncDirectory(const std::filesystem::path& path) override { return owner_.SyncDirectory(path); }
  absl::StatusOr<std::vector<std::filesystem::path>> List(const std::filesystem::path& path) override {
    return owner_.List(path);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::filesystem::path& path) override { return owner_.FreeBytes(path); }
  absl::StatusOr<int64_t> CapacityBytes(const std::filesystem::path& path) override {
    return owner_.CapacityBytes(path);
  }

 private:
  server::FileSystem& owner_;
};

}  // namespace deconvoy::testing
