#include "server/spool/box_crc.h"

#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::server {

absl::StatusOr<uint32_t> Crc32cOfBox(const File& file, const Shape5& shape, v1::VoxelType type, const FrameBox& box,
                                     std::vector<std::byte>& buffer) {
  uint32_t crc = 0;
  const auto add_piece = [&](const FrameBox& piece) -> absl::Status {
    buffer.resize(static_cast<size_t>(piece.box.shape.voxels() * BytesPerVoxel(type)));
    RETURN_IF_ERROR(ForEachRun(shape, type, piece, [&](const ByteRun& run) {
      return file.ReadAt(run.volume_offset, std::span(buffer).subspan(static_cast<size_t>(run.box_offset),
                                                                      static_cast<size_t>(run.bytes)));
    }));
    crc = Crc32c(buffer, crc);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForEachPiece(box, type, limits::kChunkBytes, add_piece));
  return crc;
}

}  // namespace deconvoy::server
