#include "client/imageio/image_errors.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "proto/contract/error.h"

namespace deconvoy::imageio {
namespace {

bool IsDiskFull(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

bool IsRefusal(int error_number) {
  return error_number == EACCES || error_number == EPERM || error_number == EROFS || error_number == ENOTDIR ||
         error_number == ELOOP || error_number == ENAMETOOLONG;
}

}  // namespace

absl::Status FileError(const std::filesystem::path& path, std::string_view message, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .remedy = std::string(remedy), .metadata = {{"path", path.string()}}},
                   fmt::format("{}: {}", path.string(), message));
}

absl::Status SystemError(const std::filesystem::path& path, std::string_view doing, int error_number,
                         int64_t need_bytes) {
  const std::string reason = std::generic_category().message(error_number);
  if (error_number == ENOENT) {
    return MakeError({.reason = v1::NOT_FOUND,
                      .remedy = path.is_absolute() ? "Check the name."
                                                   : "Check the name; it is taken relative to the current folder.",
                      .metadata = {{"path", path.string()}}},
                     fmt::format("{}: cannot be {}: {}", path.string(), doing, reason));
  }
  if (IsDiskFull(error_number)) {
    ErrorDetails details{.reason = v1::DISK_FULL,
                         .remedy = "Free some room there or choose another place.",
                         .metadata = {{"path", path.string()}}};
    std::string need;
    if (need_bytes > 0) {
      details.metadata["need_bytes"] = fmt::to_string(need_bytes);
      need = fmt::format(" ({} bytes are needed)", need_bytes);
    }
    return MakeError(details, fmt::format("{}: cannot be {}: {}{}", path.string(), doing, reason, need));
  }
  if (IsRefusal(error_number)) {
    return FileError(path, fmt::format("cannot be {}: {}", doing, reason), "Check the permissions and the path.");
  }
  return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path.string()}}},
                   fmt::format("{}: cannot be {}: {}", path.string(), doing, reason));
}

}  // namespace deconvoy::imageio
