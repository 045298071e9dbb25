// Chunks that arrive for a volume: box, length, checksum.
#include <fmt/format.h>

#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {

absl::Status ValidateChunk(const v1::Chunk& chunk, const v1::VolumeSpec& volume) {
  if (chunk.compression() != v1::COMPRESSION_UNSPECIFIED) {
    return MakeError({.reason = v1::BAD_COMPRESSION, .field = "chunk.compression", .remedy = "Send plain bytes."},
                     "the chunk is packed where only plain bytes are taken");
  }
  if (chunk.data().size() > limits::kChunkBytes) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "chunk.data",
                      .remedy = "Send smaller boxes.",
                      .metadata = {{"limit", fmt::to_string(limits::kChunkBytes)}}},
                     fmt::format("`chunk.data` has {} bytes, more than {}", chunk.data().size(), limits::kChunkBytes));
  }
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.shape(), volume.type(), "shape"));
  RETURN_IF_ERROR(CheckBox(chunk.box(), shape, "chunk.box"));
  const int64_t expected = ToFrameBox(chunk.box()).box.shape.voxels() * BytesPerVoxel(volume.type());
  if (static_cast<int64_t>(chunk.data().size()) != expected) {
    return MakeError(
        {.reason = v1::INVALID_FIELD, .field = "chunk.data", .remedy = "Send all voxels of the box, and only those."},
        fmt::format("`chunk.data` has {} bytes, but its box has {}", chunk.data().size(), expected));
  }
  const uint32_t actual = Crc32c(std::as_bytes(std::span(chunk.data())));
  if (actual == chunk.crc32c()) return absl::OkStatus();
  return MakeError(
      {.reason = v1::CHECKSUM_MISMATCH, .field = "chunk.crc32c", .remedy = "Send the chunk again."},
      fmt::format("the chunk's bytes have CRC-32C {:08x}, but {:08x} was announced", actual, chunk.crc32c()));
}

}  // namespace deconvoy
