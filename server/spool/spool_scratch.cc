// Scratch files of leases and their way into volumes.
#include <fmt/format.h>

#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/spool_volume_store.h"

namespace deconvoy::server {
namespace {

using TakeBytes = std::function<absl::Status(const FrameBox& piece, std::span<const std::byte>)>;

// Reads the bytes of `box`, which lie in C order from `offset`, piece by piece; returns their CRC-32C.
absl::StatusOr<uint32_t> ReadPieces(const File& scratch, int64_t offset, v1::VoxelType type, const FrameBox& box,
                                    const TakeBytes& take) {
  uint32_t crc = 0;
  std::vector<std::byte> buffer;
  const auto read_piece = [&](const FrameBox& piece) -> absl::Status {
    buffer.resize(static_cast<size_t>(piece.box.shape.voxels() * BytesPerVoxel(type)));
    RETURN_IF_ERROR(scratch.ReadAt(offset, buffer));
    offset += static_cast<int64_t>(buffer.size());
    crc = Crc32c(buffer, crc);
    return take(piece, buffer);
  };
  RETURN_IF_ERROR(ForEachPiece(box, type, limits::kChunkBytes, read_piece));
  return crc;
}

const CommittedBox* FindOverlap(const std::vector<CommittedBox>& committed, const FrameBox& box) {
  for (const CommittedBox& there : committed) {
    if (!Intersect(there.box.box, box.box).empty()) return &there;
  }
  return nullptr;
}

}  // namespace

std::filesystem::path SpoolVolumeStore::ScratchPath(uint64_t token) const {
  return options_.directory / "scratch" / fmt::format("{}.raw", token);
}

absl::StatusOr<std::filesystem::path> SpoolVolumeStore::MakeScratch(uint64_t token, int64_t bytes) {
  const std::filesystem::path path = ScratchPath(token);
  RETURN_IF_ERROR(space_.CreateFile(path, bytes).status());
  return path;
}

absl::StatusOr<std::unique_ptr<File>> SpoolVolumeStore::OpenScratch(uint64_t token, bool writable) {
  return files_.Open(ScratchPath(token), writable);
}

void SpoolVolumeStore::RemoveScratch(uint64_t token) {
  space_.RemoveFile(ScratchPath(token));
}

absl::StatusOr<uint32_t> SpoolVolumeStore::Transfer(uint64_t token, int64_t scratch_offset,
                                                    const std::string& volume_id, const v1::VolumeSpec& spec,
                                                    const FrameBox& box) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "spec.shape"));
  RETURN_IF_ERROR(CheckBox(ToProto(box), shape, "box"));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> scratch, OpenScratch(token, false));
  ASSIGN_OR_RETURN(const std::vector<CommittedBox> committed, store_.GetBoxes(volume_id, box.t, box.c));
  if (const CommittedBox* there = FindOverlap(committed, box)) {
    // Committed voxels never change: the same bytes again are fine, nothing is written.
    ASSIGN_OR_RETURN(const uint32_t crc, ReadPieces(*scratch, scratch_offset, spec.type(), box,
                                                    [](const auto&, const auto&) { return absl::OkStatus(); }));
    if (there->box == box && there->crc32c == crc) return crc;
    return MakeError(
        {.reason = v1::BOX_OVERLAPS},
        fmt::format("{}: output of lease {} overlaps voxels that are committed already", VolumeName(volume_id), token));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(PathOf(volume_id), true));
  const auto write = [&](const FrameBox& piece, std::span<const std::byte> bytes) {
    return ForEachRun(shape, spec.type(), piece, [&](const ByteRun& run) {
      return file->WriteAt(run.volume_offset,
                           bytes.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes)));
    });
  };
  ASSIGN_OR_RETURN(const uint32_t crc, ReadPieces(*scratch, scratch_offset, spec.type(), box, write));
  CrashPoint("transfer-before-sync");
  RETURN_IF_ERROR(file->Sync());
  CrashPoint("transfer-after-sync");
  return crc;
}

}  // namespace deconvoy::server
