#include "client/cli/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

absl::Status CannotWrite(const std::filesystem::path& file, int error) {
  return WithExitCode(MakeError({.reason = v1::STORAGE_FAILURE,
                                 .remedy = "See that its folder is yours to write, and that the disk has room.",
                                 .metadata = {{"path", file.string()}}},
                                fmt::format("cannot write {}: {}", Printable(file.string()), std::strerror(error))),
                      ExitCode::kRefused);
}

bool WriteAll(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(descriptor, content.data(), content.size());
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(descriptor) == 0;
}

}  // namespace

absl::Status WritePrivateFile(const std::filesystem::path& file, std::string_view content) {
  std::string draft = file.string() + ".XXXXXX";
  const int descriptor = mkostemp(draft.data(), O_CLOEXEC);  // mode 0600
  if (descriptor < 0) return CannotWrite(file, errno);
  bool good = WriteAll(descriptor, content);
  int error = errno;
  close(descriptor);
  if (good && rename(draft.c_str(), file.c_str()) != 0) {
    good = false;
    error = errno;
  }
  if (good) return absl::OkStatus();
  unlink(draft.c_str());
  return CannotWrite(file, error);
}

absl::Status CheckPrivateFile(const std::filesystem::path& file) {
  struct stat about {};
  if (stat(file.c_str(), &about) != 0 || (about.st_mode & 0077) == 0) return absl::OkStatus();
  return WithExitCode(MakeError({.reason = v1::INVALID_FIELD,
                                 .remedy = fmt::format("Run `chmod 600 {}`.", file.string()),
                                 .metadata = {{"path", file.string()}}},
                                fmt::format("{} holds tokens, but others may read it (mode {:04o})",
                                            Printable(file.string()), about.st_mode & 07777)),
                      ExitCode::kRefused);
}

}  // namespace deconvoy::client
