#include "server/auth/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

absl::Status Failure(const std::filesystem::path& path, std::string_view doing) {
  return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path.string()}}},
                   fmt::format("cannot {} {}: {}", doing, Printable(path.string()), std::strerror(errno)));
}

bool WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0;
}

}  // namespace

absl::Status ReplaceFile(const std::filesystem::path& file, std::string_view content, mode_t mode) {
  std::filesystem::path draft = file;
  draft += ".new";
  unlink(draft.c_str());
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Failure(draft, "create");
  const bool written = fchmod(fd, mode) == 0 && WriteAll(fd, content);
  absl::Status status = written ? absl::OkStatus() : Failure(draft, "write");
  close(fd);
  if (status.ok() && rename(draft.c_str(), file.c_str()) != 0) status = Failure(file, "replace");
  if (!status.ok()) unlink(draft.c_str());
  return status;
}

}  // namespace deconvoy::server
