#include "server/spool/upload.h"

#include <fmt/format.h>

#include <span>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/coverage.h"

namespace deconvoy::server {
namespace {

// Above this many committed boxes in memory, frames that are not in use are forgotten (about 64 bytes each).
constexpr size_t kIndexedBoxes = 200'000;

absl::Status Overlap(const std::string& volume_id, const FrameBox& box, const Box3& other) {
  const FrameBox there{box.t, box.c, other};
  const std::string message = box.box == other ? fmt::format("{}: the box at {} has been sent before with other bytes",
                                                             VolumeName(volume_id), BoxText(box))
                                               : fmt::format("{}: the box at {} overlaps the one at {} sent before",
                                                             VolumeName(volume_id), BoxText(box), BoxText(there));
  return MakeError({.reason = v1::BOX_OVERLAPS,
                    .field = "chunk.box",
                    .remedy = "Ask Volumes.Get which boxes are missing, and send those."},
                   message);
}

}  // namespace

absl::StatusOr<BoxIndex*> BoxClaims::LoadLocked(const Frame& frame) {
  if (auto found = committed_.find(frame); found != committed_.end()) return &found->second;
  size_t indexed = 0;
  for (const auto& [key, index] : committed_) indexed += index.size();
  if (indexed > kIndexedBoxes) committed_.clear();
  ASSIGN_OR_RETURN(const std::vector<CommittedBox> stored, store_.GetBoxes(volume_id_, frame.first, frame.second));
  std::vector<IndexedBox> boxes;
  boxes.reserve(stored.size());
  for (const CommittedBox& box : stored) boxes.push_back({box.box.box, box.crc32c});
  return &committed_.emplace(frame, BoxIndex(boxes)).first->second;
}

absl::StatusOr<BoxClaims::Claim> BoxClaims::Add(const CommittedBox& box) {
  const Frame frame{box.box.t, box.box.c};
  const auto same = [&](const IndexedBox& there) { return there.box == box.box.box && there.crc32c == box.crc32c; };
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const BoxIndex* committed, LoadLocked(frame));
  if (const std::optional<IndexedBox> there = committed->FindOverlap(box.box.box)) {
    if (same(*there)) return Claim::kDurable;
    return Overlap(volume_id_, box.box, there->box);
  }
  BoxIndex& claimed = claimed_[frame];
  if (const std::optional<IndexedBox> there = claimed.FindOverlap(box.box.box)) {
    if (!same(*there)) return Overlap(volume_id_, box.box, there->box);
  } else {
    claimed.Insert({box.box.box, box.crc32c});
  }
  ++holders_[PlaceOf(box.box)];
  return Claim::kWrite;
}

BoxClaims::Place BoxClaims::PlaceOf(const FrameBox& box) {
  return {box.t, box.c, box.box.origin.z, box.box.origin.y, box.box.origin.x};
}

void BoxClaims::ReleaseLocked(const CommittedBox& box) {
  const auto held = holders_.find(PlaceOf(box.box));
  if (held == holders_.end() || --held->second > 0) return;
  holders_.erase(held);
  const auto frame = claimed_.find({box.box.t, box.box.c});
  frame->second.Remove({box.box.box, box.crc32c});
  if (frame->second.size() == 0) claimed_.erase(frame);
}

void BoxClaims::Release(const std::vector<CommittedBox>& boxes) {
  std::lock_guard lock(mutex_);
  for (const CommittedBox& box : boxes) ReleaseLocked(box);
}

void BoxClaims::MarkCommitted(const std::vector<CommittedBox>& boxes) {
  std::lock_guard lock(mutex_);
  for (const CommittedBox& box : boxes) {
    const auto frame = committed_.find({box.box.t, box.box.c});
    if (frame != committed_.end()) frame->second.Insert({box.box.box, box.crc32c});
    ReleaseLocked(box);
  }
}

UploadWriter::UploadWriter(VolumeRecord volume, std::unique_ptr<File> file, std::shared_ptr<BoxClaims> claims,
                           Store& store, VolumeChanges& changes, VolumeListener* listener,
                           std::function<void()> committed)
    : volume_(std::move(volume)),
      file_(std::move(file)),
      claims_(std::move(claims)),
      store_(store),
      changes_(changes),
      listener_(listener),
      committed_(std::move(committed)) {}

UploadWriter::~UploadWriter() {
  claims_->Release(held_);
}

absl::Status UploadWriter::WriteBytes(const FrameBox& box, const std::string& data) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume_.spec.shape(), volume_.spec.type(), "shape"));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data));
  return ForEachRun(shape, volume_.spec.type(), box, [&](const ByteRun& run) {
    return file_->WriteAt(run.volume_offset,
                          bytes.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes)));
  });
}

absl::Status UploadWriter::Add(const v1::Chunk& chunk) {
  RETURN_IF_ERROR(failure_);
  RETURN_IF_ERROR(ValidateChunk(chunk, volume_.spec));
  const CommittedBox box{ToFrameBox(chunk.box()), chunk.crc32c()};
  ASSIGN_OR_RETURN(const BoxClaims::Claim claim, claims_->Add(box));
  if (claim == BoxClaims::Claim::kWrite) {
    if (absl::Status written = WriteBytes(box.box, chunk.data()); !written.ok()) {
      claims_->Release({box});
      return written;
    }
    held_.push_back(box);
    uncommitted_bytes_ += static_cast<int64_t>(chunk.data().size());
  }
  ++chunks_;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> UploadWriter::Commit() {
  RETURN_IF_ERROR(failure_);
  if (held_.empty()) return chunks_;
  CrashPoint("upload-before-sync");
  failure_ = file_->Sync();
  if (!failure_.ok()) {
    claims_->Release(std::exchange(held_, {}));
    uncommitted_bytes_ = 0;
    return failure_;
  }
  CrashPoint("upload-before-commit");
  RETURN_IF_ERROR(store_.CommitBoxes(volume_.id, held_));
  CrashPoint("upload-after-commit");
  const std::vector<CommittedBox> committed = std::exchange(held_, {});
  claims_->MarkCommitted(committed);
  changes_.Commit(volume_.id, committed);
  if (listener_ != nullptr) listener_->BoxesCommitted(volume_.id, committed);
  committed_();
  uncommitted_bytes_ = 0;
  return chunks_;
}

}  // namespace deconvoy::server
