#include "client/cli/private_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSocketPathLimit = 100;  // of 107 that the system takes
constexpr size_t kRandomLetters = 6;      // that mkdtemp puts at the end

absl::Status CannotMake(const fs::path& path, int error) {
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "Set DECONVOY_SCRATCH to a folder that you may write to and that has room for the data."},
                   fmt::format("cannot make {} ({})", Printable(path.string()), std::strerror(error)));
}

// Names the machine, because locks may not reach over a network: another machine's folders are its own to sweep.
std::string Prefix() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return fmt::format("deconvoy-private-{}-", host);
}

fs::path SocketOf(const fs::path& folder) {
  auto socket = folder / "socket";
  if (socket.string().size() <= kSocketPathLimit) return socket;
  return fs::path("/tmp") / (folder.filename().string() + ".socket");
}

void RemoveAll(const fs::path& folder) {
  std::error_code ignored;
  fs::remove(SocketOf(folder), ignored);
  fs::remove_all(folder, ignored);
}

bool IsPrivateFolder(const fs::path& path, const std::string& prefix) {
  const std::string name = path.filename().string();
  if (!name.starts_with(prefix) || name.size() != prefix.size() + kRandomLetters) return false;
  struct stat about {};
  return lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
         (about.st_mode & 0777) == 0700;
}

// Whether `file` is there and nobody holds its lock; then it is held until `descriptor` is closed.
bool TakeLock(const fs::path& file, int& descriptor) {
  descriptor = open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  return descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateFolder>> PrivateFolder::Make(const fs::path& base) {
  std::error_code ignored;
  std::string name = (fs::absolute(base, ignored) / (Prefix() + std::string(kRandomLetters, 'X'))).string();
  if (mkdtemp(name.data()) == nullptr) return CannotMake(name, errno);
  std::unique_ptr<PrivateFolder> folder(new PrivateFolder(name));
  // Locked before it has its name, so that no sweep finds it unlocked.
  const fs::path unnamed = folder->path_ / "log.new";
  folder->log_ = open(unnamed.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (folder->log_ < 0) return CannotMake(unnamed, errno);
  flock(folder->log_, LOCK_EX | LOCK_NB);
  if (rename(unnamed.c_str(), folder->log().c_str()) != 0) return CannotMake(folder->log(), errno);
  return folder;
}

PrivateFolder::~PrivateFolder() {
  RemoveAll(path_);
  if (log_ >= 0) close(log_);
}

std::string PrivateFolder::EndOfLog() const {
  constexpr off_t kMost = 8192;
  struct stat about {};
  if (fstat(log_, &about) != 0) return "";
  std::string text(static_cast<size_t>(std::min(about.st_size, kMost)), '\0');
  const ssize_t got = pread(log_, text.data(), text.size(), about.st_size - static_cast<off_t>(text.size()));
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

fs::path PrivateFolder::socket() const {
  return SocketOf(path_);
}

void SweepPrivateFolders(const fs::path& base) {
  const std::string prefix = Prefix();
  std::error_code ignored;
  for (fs::directory_iterator entry(base, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    if (!IsPrivateFolder(entry->path(), prefix)) continue;
    int log = -1;
    if (TakeLock(entry->path() / "log", log)) RemoveAll(entry->path());
    if (log >= 0) close(log);
  }
}

}  // namespace deconvoy::client
