// A chunk as it comes over the wire, plain or packed, for a volume; and the runs and pieces of its box.
#include <span>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/compression.h"
#include "proto/contract/limits.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

namespace deconvoy {
namespace {

void CheckRuns(const Shape5& shape, v1::VoxelType type, const v1::Chunk& chunk) {
  int64_t in_box = 0, end = 0;
  const absl::Status status = ForEachRun(shape, type, ToFrameBox(chunk.box()), [&](const ByteRun& run) {
    fuzz::Require(run.bytes > 0 && run.box_offset == in_box && run.volume_offset >= end, "runs follow one another");
    in_box += run.bytes;
    end = run.volume_offset + run.bytes;
    return absl::OkStatus();
  });
  fuzz::Require(status.ok() && in_box == static_cast<int64_t>(chunk.data().size()), "runs hold all bytes of the box");
  fuzz::Require(end <= VolumeBytes(shape, type), "runs stay inside the volume");
}

void CheckPieces(v1::VoxelType type, const FrameBox& box, int64_t max_bytes) {
  int64_t voxels = 0;
  const absl::Status status = ForEachPiece(box, type, max_bytes, [&](const FrameBox& piece) {
    fuzz::Require(box.box.Contains(piece.box) && !piece.box.empty(), "pieces lie inside the box");
    fuzz::Require(piece.box.shape.voxels() * BytesPerVoxel(type) <= max_bytes, "pieces keep the limit");
    voxels += piece.box.shape.voxels();
    return absl::OkStatus();
  });
  fuzz::Require(status.ok() && voxels == box.box.shape.voxels(), "pieces cover the box");
}

}  // namespace
}  // namespace deconvoy

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  const int64_t max_bytes = 4 + input.Take<uint16_t>();
  v1::VolumeSpec volume;
  v1::Chunk chunk;
  if (!fuzz::ParseTwo(input, volume, chunk)) return 0;
  if (!ValidateVolumeSpec(volume).ok() || !Unpack(chunk, volume).ok()) return 0;
  // Otherwise hardly any chunk would get past the checksum.
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  if (!ValidateChunk(chunk, volume).ok()) return 0;
  fuzz::Require(chunk.data().size() <= limits::kChunkBytes, "chunks keep their limit");
  CheckRuns(ToShape(volume.shape(), volume.type(), "shape").value(), volume.type(), chunk);
  CheckPieces(volume.type(), ToFrameBox(chunk.box()), max_bytes);
  return 0;
}
