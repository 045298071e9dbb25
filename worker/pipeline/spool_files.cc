#include "worker/pipeline/spool_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

absl::Status FileError(v1::ErrorReason reason, const std::filesystem::path& path, std::string_view what) {
  return MakeError(
      {.reason = reason, .remedy = "Look at the disk that holds the spool.", .metadata = {{"path", path.string()}}},
      fmt::format("{}: {}", Printable(path.string()), what));
}

std::string SystemMessage(std::string_view call, int error) {
  return fmt::format("{}: {}", call, std::strerror(error));
}

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return file_; }

 private:
  const int file_;
};

absl::Status ReadExactly(int file, const std::filesystem::path& path, int64_t offset, std::span<std::byte> target) {
  while (!target.empty()) {
    const ssize_t got = ::pread(file, target.data(), target.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(v1::STORAGE_FAILURE, path, SystemMessage("pread", errno));
    if (got == 0) {
      return FileError(v1::STORAGE_FAILURE, path,
                       fmt::format("the file ends at byte {}, {} bytes too early", offset, target.size()));
    }
    target = target.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SpoolSource::Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec().shape(), volume.spec().type(), "input.shape"));
  RETURN_IF_ERROR(CheckBox(ToProto(box), shape, "input.box"));
  const std::filesystem::path path = volume.spool_path();
  const OpenFile file(path);
  if (file.get() < 0) return FileError(v1::STORAGE_FAILURE, path, SystemMessage("open", errno));
  return ForEachRun(shape, volume.spec().type(), box, [&](const ByteRun& run) {
    return ReadExactly(file.get(), path, run.volume_offset,
                       target.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes)));
  });
}

// The rows of a plane lie so near to one another that the system is asked for all between the first and the last.
absl::Status SpoolSource::Prefetch(const v1::VolumeAccess& volume, const FrameBox& box) const {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec().shape(), volume.spec().type(), "input.shape"));
  RETURN_IF_ERROR(CheckBox(ToProto(box), shape, "input.box"));
  const std::filesystem::path path = volume.spool_path();
  const OpenFile file(path);
  if (file.get() < 0) return FileError(v1::STORAGE_FAILURE, path, SystemMessage("open", errno));
  const auto offset = [&](int64_t z, int64_t y, int64_t x) {
    const int64_t plane = (box.t * shape.c + box.c) * shape.z + z;
    return ((plane * shape.y + y) * shape.x + x) * BytesPerVoxel(volume.spec().type());
  };
  const Voxel first = box.box.origin, end = box.box.end();
  for (int64_t z = first.z; z < end.z; ++z) {
    const int64_t begin = offset(z, first.y, first.x);
    const int error = ::posix_fadvise(file.get(), begin, offset(z, end.y - 1, end.x) - begin, POSIX_FADV_WILLNEED);
    if (error != 0) return FileError(v1::STORAGE_FAILURE, path, SystemMessage("posix_fadvise", error));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ScratchSink>> ScratchSink::Open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file >= 0) return std::unique_ptr<ScratchSink>(new ScratchSink(file, path));
  const int error = errno;
  return FileError(error == ENOENT ? v1::STALE_LEASE : v1::STORAGE_FAILURE, path, SystemMessage("open", error));
}

ScratchSink::~ScratchSink() {
  if (file_ >= 0) ::close(file_);
}

absl::Status ScratchSink::Append(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(file_, data.data(), data.size(), position_);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      return FileError(error == ENOSPC || error == EDQUOT ? v1::DISK_FULL : v1::STORAGE_FAILURE, path_,
                       SystemMessage("pwrite", error));
    }
    data = data.subspan(static_cast<size_t>(put));
    position_ += put;
  }
  return absl::OkStatus();
}

absl::Status ScratchSink::Close() {
  if (::close(std::exchange(file_, -1)) == 0) return absl::OkStatus();
  const int error = errno;
  return FileError(error == ENOSPC || error == EDQUOT ? v1::DISK_FULL : v1::STORAGE_FAILURE, path_,
                   SystemMessage("close", error));
}

}  // namespace deconvoy::worker
