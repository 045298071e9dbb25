#include "worker/pipeline/server_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/server_file.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

// The kernel gives up on a path that is being changed while it is resolved.
constexpr int kTries = 32;

absl::Status Refuse(v1::ErrorReason reason, const v1::FileAccess& file, std::string_view what,
                    std::string_view remedy = {}) {
  return MakeError({.reason = reason, .remedy = std::string(remedy), .metadata = {{"file", file.file()}}},
                   fmt::format("{}: {}", file.file(), what));
}

absl::Status Failed(const v1::FileAccess& file, int error, std::string_view what) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Refuse(v1::NOT_FOUND, file, fmt::format("there is no such {}", what), "Check the name.");
    case EXDEV:
    case ELOOP:
      return Refuse(v1::PATH_NOT_ALLOWED, file, "the path leads out of its root",
                    "Name a file below the root; links on the way must be relative and stay in it.");
    case EACCES:
    case EPERM:
    case EROFS:
      return Refuse(v1::PATH_NOT_ALLOWED, file, fmt::format("the server's workers may not use the {}", what),
                    "Change its permissions, or name another.");
    default:
      return Refuse(v1::STORAGE_FAILURE, file,
                    fmt::format("the {} cannot be opened: {}", what, std::generic_category().message(error)));
  }
}

absl::StatusOr<Descriptor> OpenRoot(const v1::FileAccess& file) {
  Descriptor root(open(file.root_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat state {};
  const bool same = root.number() >= 0 && fstat(root.number(), &state) == 0 && state.st_dev == file.root_device() &&
                    state.st_ino == file.root_inode();
  if (same) return root;
  return Refuse(v1::STORAGE_FAILURE, file, "this worker does not see the folder of the root that the server sees",
                "Run workers where the root's folder is mounted as on the server.");
}

// `what` is opened, `path` below the root; neither read nor written yet.
absl::StatusOr<Descriptor> OpenBeneath(const v1::FileAccess& file, const std::string& path, uint64_t flags,
                                       std::string_view what) {
  // Once more, since the path has come over the wire.
  RETURN_IF_ERROR(ParseServerFile("root/" + path, "file.path").status());
  ASSIGN_OR_RETURN(const Descriptor root, OpenRoot(file));
  struct open_how how {};
  how.flags = O_PATH | O_CLOEXEC | flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int i = 0;; ++i) {
    const long number = syscall(SYS_openat2, root.number(), path.c_str(), &how, sizeof how);
    if (number >= 0) return Descriptor(static_cast<int>(number));
    if ((errno != EAGAIN && errno != EINTR) || i == kTries) return Failed(file, errno, what);
  }
}

void Replace(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

std::string Descriptor::path() const {
  return fmt::format("/proc/self/fd/{}", number_);
}

absl::StatusOr<Descriptor> OpenForReading(const v1::FileAccess& file) {
  constexpr std::string_view kWhat = "file";
  ASSIGN_OR_RETURN(const Descriptor found, OpenBeneath(file, file.path(), 0, kWhat));
  struct stat state {};
  if (fstat(found.number(), &state) != 0) return Failed(file, errno, kWhat);
  if (S_ISDIR(state.st_mode)) return Refuse(v1::BAD_FILE, file, "it is a folder", "Name a file in it.");
  if (!S_ISREG(state.st_mode)) return Refuse(v1::BAD_FILE, file, "it is not a regular file", "Name a TIFF file.");
  Descriptor open_file(open(found.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (open_file.number() < 0) return Failed(file, errno, kWhat);
  return open_file;
}

absl::StatusOr<Descriptor> OpenFolder(const v1::FileAccess& file) {
  const size_t cut = file.path().rfind('/');
  if (cut == std::string::npos) {
    ASSIGN_OR_RETURN(const Descriptor root, OpenRoot(file));
    Descriptor again(open(root.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (again.number() < 0) return Failed(file, errno, "folder");
    return again;
  }
  return OpenBeneath(file, file.path().substr(0, cut), O_DIRECTORY, "folder");
}

std::string NameIn(const v1::FileAccess& file) {
  return file.path().substr(file.path().rfind('/') + 1);
}

absl::StatusOr<v1::FileStamp> StampOf(const Descriptor& open, const v1::FileAccess& file) {
  struct stat state {};
  if (fstat(open.number(), &state) != 0) return Failed(file, errno, "file");
  const auto nanoseconds = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  v1::FileStamp stamp;
  stamp.set_device(state.st_dev);
  stamp.set_inode(state.st_ino);
  stamp.set_size_bytes(static_cast<uint64_t>(state.st_size));
  stamp.set_modified_ns(nanoseconds(state.st_mtim));
  stamp.set_changed_ns(nanoseconds(state.st_ctim));
  return stamp;
}

absl::Status WithFileName(const absl::Status& status, const Descriptor& folder, const v1::FileAccess& file) {
  const v1::ErrorInfo info = InfoOf(status);
  if (status.ok() || info.reason() == v1::ERROR_REASON_UNSPECIFIED) return status;
  const std::string shown_folder = file.file().substr(0, file.file().rfind('/'));
  std::string message(status.message()), remedy = info.remedy();
  for (std::string* text : {&message, &remedy}) {
    Replace(*text, folder.path() + "/", shown_folder + "/");
    Replace(*text, folder.path() + " ", shown_folder + " ");
  }
  std::map<std::string, std::string> metadata(info.metadata().begin(), info.metadata().end());
  metadata.erase("path");
  metadata["file"] = file.file();
  return MakeError({.reason = info.reason(), .field = info.field(), .remedy = remedy, .metadata = metadata}, message);
}

}  // namespace deconvoy::worker
