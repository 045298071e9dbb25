#include "proto/contract/compression.h"

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include <optional>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr int kZstdLevel = 1;
constexpr int kProbedChunks = 8;
// Stacks must become at least so much smaller, or the time is not worth it.
constexpr double kWorthwhile = 0.8;

// Fewer bytes that unpack to `plain`; nothing where there are none.
std::optional<std::string> PackZstd(const std::string& plain) {
  std::string packed(plain.size(), '\0');
  const size_t bytes = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), kZstdLevel);
  if (ZSTD_isError(bytes) != 0 || bytes >= plain.size()) return std::nullopt;
  packed.resize(bytes);
  return packed;
}

std::optional<std::string> PackLz4(const std::string& plain) {
  std::string packed(plain.size(), '\0');
  const int bytes = LZ4_compress_default(plain.data(), packed.data(), static_cast<int>(plain.size()),
                                         static_cast<int>(packed.size()));
  if (bytes <= 0 || static_cast<size_t>(bytes) >= plain.size()) return std::nullopt;
  packed.resize(static_cast<size_t>(bytes));
  return packed;
}

// Fills `plain` exactly from exactly `packed`.
bool UnpackZstd(const std::string& packed, std::string& plain) {
  // Several frames in a row would unpack, too.
  const size_t frame = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
  if (ZSTD_isError(frame) != 0 || frame != packed.size()) return false;
  return ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size()) == plain.size();
}

bool UnpackLz4(const std::string& packed, std::string& plain) {
  const int bytes =
      LZ4_decompress_safe(packed.data(), plain.data(), static_cast<int>(packed.size()), static_cast<int>(plain.size()));
  return bytes >= 0 && static_cast<size_t>(bytes) == plain.size();
}

absl::Status Bad(std::string_view field, std::string_view what) {
  return MakeError({.reason = v1::BAD_COMPRESSION,
                    .field = std::string(field),
                    .remedy = "Send one Zstandard frame or one LZ4 block of exactly the box's voxels, or plain bytes."},
                   what);
}

absl::Status AboveLimit(std::string_view what, int64_t bytes) {
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = "chunk.data",
                    .remedy = "Send smaller boxes.",
                    .metadata = {{"limit", fmt::to_string(limits::kChunkBytes)}}},
                   fmt::format("the chunk has {} bytes {}, more than {}", bytes, what, limits::kChunkBytes));
}

}  // namespace

void Pack(v1::Chunk& chunk, v1::Compression compression) {
  std::optional<std::string> packed;
  if (compression == v1::ZSTD) packed = PackZstd(chunk.data());
  if (compression == v1::LZ4) packed = PackLz4(chunk.data());
  if (!packed) return;
  chunk.set_data(*std::move(packed));
  chunk.set_compression(compression);
}

absl::Status Unpack(v1::Chunk& chunk, const v1::VolumeSpec& volume) {
  if (chunk.compression() == v1::COMPRESSION_UNSPECIFIED) return absl::OkStatus();
  const auto packed_bytes = static_cast<int64_t>(chunk.data().size());
  constexpr auto kLimit = static_cast<int64_t>(limits::kChunkBytes);
  if (packed_bytes > kLimit) return AboveLimit("packed", packed_bytes);
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.shape(), volume.type(), "shape"));
  RETURN_IF_ERROR(CheckBox(chunk.box(), shape, "chunk.box"));
  const int64_t plain_bytes = ToFrameBox(chunk.box()).box.shape.voxels() * BytesPerVoxel(volume.type());
  if (plain_bytes > kLimit) return AboveLimit("unpacked", plain_bytes);
  std::string plain(static_cast<size_t>(plain_bytes), '\0');
  bool whole = false;
  switch (chunk.compression()) {
    case v1::ZSTD:
      whole = UnpackZstd(chunk.data(), plain);
      break;
    case v1::LZ4:
      whole = UnpackLz4(chunk.data(), plain);
      break;
    default:
      return Bad("chunk.compression", fmt::format("the chunk is packed in a way that is not known, {}",
                                                  static_cast<int>(chunk.compression())));
  }
  if (!whole) {
    return Bad("chunk.data", fmt::format("the chunk's {} bytes do not unpack ({}) to exactly the {} of its box",
                                         packed_bytes, v1::Compression_Name(chunk.compression()), plain_bytes));
  }
  chunk.set_data(std::move(plain));
  chunk.clear_compression();
  return absl::OkStatus();
}

void Packer::Pack(v1::Chunk& chunk) {
  if (compression_ == v1::COMPRESSION_UNSPECIFIED) return;
  const auto plain = static_cast<int64_t>(chunk.data().size());
  deconvoy::Pack(chunk, compression_);
  if (always_ || ++chunks_ > kProbedChunks) return;
  plain_bytes_ += plain;
  packed_bytes_ += static_cast<int64_t>(chunk.data().size());
  const bool pays = static_cast<double>(packed_bytes_) <= kWorthwhile * static_cast<double>(plain_bytes_);
  if (chunks_ == kProbedChunks && !pays) compression_ = v1::COMPRESSION_UNSPECIFIED;
}

}  // namespace deconvoy
