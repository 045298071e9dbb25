#include "server/store/state_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

absl::Status SystemError(const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return MakeError({.reason = full ? v1::DISK_FULL : v1::STORAGE_FAILURE,
                    .remedy = full ? "Free space on the disk of the state folder." : "",
                    .metadata = {{"path", path.string()}}},
                   fmt::format("cannot use {}: {}", Printable(path.string()), std::generic_category().message(error)));
}

absl::Status NotOurs(const fs::path& path, std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "state",
                    .remedy = "Give an empty folder, or one that a deconvoyd has used before.",
                    .metadata = {{"path", path.string()}}},
                   fmt::format("{} cannot be the state folder: {}", path.string(), what));
}

// A file descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int Release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

absl::Status WriteAll(const fs::path& path, int descriptor, std::string_view text) {
  if (write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(descriptor) != 0) {
    return SystemError(path, errno == 0 ? ENOSPC : errno);
  }
  return absl::OkStatus();
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::Status MakeFolder(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error)) {
    return fs::is_directory(path, error) ? absl::OkStatus() : NotOurs(path, "it is not a folder");
  }
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) return SystemError(path.parent_path(), error.value());
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(path, errno);
  return absl::OkStatus();
}

absl::StatusOr<int> Lock(const fs::path& folder) {
  const fs::path path = folder / "lock";
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return SystemError(path, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError(path, errno);
    std::string holder = ReadText(path);
    holder = Printable(holder.substr(0, holder.find('\n')));
    // No reason of the contract fits: this never travels to a caller.
    return absl::FailedPreconditionError(fmt::format(
        "state folder {} is in use by another deconvoyd (process {}); stop that one, or give another folder",
        folder.string(), holder.empty() ? "unknown" : holder));
  }
  if (ftruncate(file.get(), 0) != 0) return SystemError(path, errno);
  RETURN_IF_ERROR(WriteAll(path, file.get(), fmt::format("{}\n", getpid())));
  return file.Release();
}

absl::Status SyncFolder(const fs::path& folder) {
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return SystemError(folder, errno);
  return absl::OkStatus();
}

// Files that a new folder may hold: the lock, the log that its caller keeps, a format file that was being written, the
// top of a file system.
absl::Status CheckNew(const fs::path& folder) {
  static const std::set<std::string> kHarmless = {"lock", "log", "format.new", "lost+found"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!kHarmless.contains(name)) {
      return NotOurs(folder, fmt::format("it holds other files, for instance \"{}\"", Printable(name)));
    }
  }
  return error ? SystemError(folder, error.value()) : absl::OkStatus();
}

absl::Status WriteFormat(const fs::path& folder) {
  const fs::path temporary = folder / "format.new";
  const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return SystemError(temporary, errno);
  RETURN_IF_ERROR(WriteAll(temporary, file.get(), fmt::format("{} {}\n", kStateFolderFormat, DECONVOY_VERSION)));
  if (rename(temporary.c_str(), (folder / "format").c_str()) != 0) return SystemError(temporary, errno);
  return SyncFolder(folder);
}

absl::Status CheckFormat(const fs::path& folder, const std::string& text) {
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || version < 1) {
    return NotOurs(folder, fmt::format("its format file says \"{}\"", Printable(text.substr(0, 40))));
  }
  if (version <= kStateFolderFormat) return absl::OkStatus();
  std::string program(end, text.data() + text.size());
  while (!program.empty() && std::isspace(static_cast<unsigned char>(program.back()))) program.pop_back();
  return MakeError(
      {.reason = v1::INCOMPATIBLE_VERSION,
       .remedy = "Start the newer deconvoyd again, or give another state folder.",
       .metadata = {{"path", folder.string()},
                    {"found_version", fmt::to_string(version)},
                    {"known_version", fmt::to_string(kStateFolderFormat)}}},
      fmt::format("state folder {} has format {} (of deconvoyd{}), but deconvoyd {} knows formats up to {}",
                  folder.string(), version, Printable(program), DECONVOY_VERSION, kStateFolderFormat));
}

}  // namespace

absl::StatusOr<StateFolder> StateFolder::Open(const fs::path& path) {
  RETURN_IF_ERROR(MakeFolder(path));
  ASSIGN_OR_RETURN(const int lock, Lock(path));
  StateFolder folder(fs::absolute(path), lock);
  const std::string format = ReadText(path / "format");
  if (!format.empty()) {
    RETURN_IF_ERROR(CheckFormat(path, format));
    return folder;
  }
  RETURN_IF_ERROR(CheckNew(path));
  RETURN_IF_ERROR(WriteFormat(path));
  return folder;
}

StateFolder::~StateFolder() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace deconvoy::server
