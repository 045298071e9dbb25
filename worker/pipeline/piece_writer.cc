#include "worker/pipeline/piece_writer.h"

#include <algorithm>

#include "proto/contract/checksum.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

int64_t PieceBytes(const v1::OutputPiece& piece) {
  return ToFrameBox(piece.box()).box.shape.voxels() * BytesPerVoxel(piece.type());
}

}  // namespace

int64_t OutputBytes(const v1::Task& task) {
  int64_t bytes = 0;
  for (const v1::OutputPiece& piece : task.outputs()) bytes += PieceBytes(piece);
  return bytes;
}

PieceWriter::PieceWriter(const v1::Task& task, OutputSink& sink) : sink_(sink) {
  for (const v1::OutputPiece& piece : task.outputs()) piece_bytes_.push_back(PieceBytes(piece));
  checksums_.assign(piece_bytes_.size(), 0);
}

absl::Status PieceWriter::Append(std::span<const std::byte> data) {
  RETURN_IF_ERROR(sink_.Append(data));
  while (!data.empty()) {
    while (piece_ < piece_bytes_.size() && in_piece_ == piece_bytes_[piece_]) {
      ++piece_;
      in_piece_ = 0;
    }
    if (piece_ == piece_bytes_.size()) return absl::InternalError("a task computed more bytes than its outputs hold");
    const int64_t room = piece_bytes_[piece_] - in_piece_;
    const auto part = data.first(std::min(data.size(), static_cast<size_t>(room)));
    checksums_[piece_] = Crc32c(part, checksums_[piece_]);
    in_piece_ += static_cast<int64_t>(part.size());
    data = data.subspan(part.size());
  }
  return absl::OkStatus();
}

absl::Status PieceWriter::Finish(v1::TaskResult& result) const {
  const bool whole = piece_bytes_.empty() || (piece_ + 1 == piece_bytes_.size() && in_piece_ == piece_bytes_.back());
  if (!whole) return absl::InternalError("a task computed fewer bytes than its outputs hold");
  result.mutable_piece_crc32c()->Assign(checksums_.begin(), checksums_.end());
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
