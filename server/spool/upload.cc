#include "server/spool/upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
// Shorter pieces are written through the page cache, which joins them.
constexpr int64_t kDirectFrom = 128 * 1024;
constexpr int64_t kDigestedBeside = 64 * 1024;  // bytes from which another thread for them pays

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

UploadWriter::UploadWriter(VolumeRecord volume, const Shape5& shape, std::unique_ptr<File> file, UploadContext context)
    : volume_(std::move(volume)),
      shape_(shape),
      file_(std::move(file)),
      context_(std::move(context)),
      hasher_(shape.y * shape.x * BytesPerVoxel(volume_.spec.type())) {}

UploadWriter::~UploadWriter() {
  context_.claims->Release(held_.boxes);
}

// What lies between two multiples of kDirectBytes goes past the page cache; bytes beside it may share a page with those
// of another box.
absl::Status UploadWriter::WriteRun(int64_t offset, std::span<const std::byte> bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  const int64_t head = std::min(size, (kDirectBytes - offset % kDirectBytes) % kDirectBytes);
  const int64_t middle = (size - head) / kDirectBytes * kDirectBytes;
  if (middle < kDirectFrom) return file_->WriteAt(offset, bytes);
  const auto part = [&](int64_t begin, int64_t end) {
    return bytes.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  };
  if (head > 0) RETURN_IF_ERROR(file_->WriteAt(offset, part(0, head)));
  {
    const AlignedBuffers::Taken buffer = context_.buffers.Take();
    for (int64_t at = head; at < head + middle;) {
      const int64_t end = std::min(head + middle, at + static_cast<int64_t>(buffer.bytes().size()));
      const auto aligned = buffer.bytes().first(static_cast<size_t>(end - at));
      std::ranges::copy(part(at, end), aligned.begin());
      RETURN_IF_ERROR(file_->WriteAt(offset + at, aligned));
      at = end;
    }
  }
  return head + middle == size ? absl::OkStatus() : file_->WriteAt(offset + head + middle, part(head + middle, size));
}

absl::Status UploadWriter::WriteBox(const FrameBox& box, std::span<const std::byte> bytes,
                                    std::vector<PlaneDigest>& planes) {
  return ForEachRun(shape_, volume_.spec.type(), box, [&](const ByteRun& run) {
    const auto part = bytes.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes));
    if (run.bytes < kDigestedBeside) {
      hasher_.Take(run.volume_offset, part, planes);
      return WriteRun(run.volume_offset, part);
    }
    beside_.Start([&] { hasher_.Take(run.volume_offset, part, planes); });
    absl::Status written = WriteRun(run.volume_offset, part);
    beside_.Wait();
    return written;
  });
}

absl::Status UploadWriter::Add(const v1::Chunk& chunk) {
  {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(failure_);
  }
  RETURN_IF_ERROR(ValidateChunk(chunk, volume_.spec));
  const CommittedBox box{ToFrameBox(chunk.box()), chunk.crc32c()};
  ASSIGN_OR_RETURN(const BoxClaims::Claim claim, context_.claims->Add(box));
  std::vector<PlaneDigest> planes;
  if (claim == BoxClaims::Claim::kWrite) {
    if (absl::Status written = WriteBox(box.box, std::as_bytes(std::span(chunk.data())), planes); !written.ok()) {
      hasher_.Forget();
      context_.claims->Release({box});
      return written;
    }
  } else {
    hasher_.Forget();
  }
  const std::lock_guard lock(mutex_);
  ++chunks_;
  if (claim == BoxClaims::Claim::kDurable) return absl::OkStatus();
  const auto bytes = static_cast<int64_t>(chunk.data().size());
  held_.boxes.push_back(box);
  held_.planes.insert(held_.planes.end(), planes.begin(), planes.end());
  held_.bytes += bytes;
  uncommitted_bytes_ += bytes;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> UploadWriter::Commit() {
  Group group;
  int64_t chunks = 0;
  {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(failure_);
    group = std::exchange(held_, {});
    chunks = chunks_;
  }
  if (group.boxes.empty()) return chunks;
  CrashPoint("upload-before-sync");
  if (absl::Status synced = file_->Sync(); !synced.ok()) {
    context_.claims->Release(group.boxes);
    uncommitted_bytes_ -= group.bytes;
    const std::lock_guard lock(mutex_);
    return failure_ = std::move(synced);
  }
  if (absl::Status recorded = Record(group); !recorded.ok()) {
    // To be tried again, with what has been added since.
    const std::lock_guard lock(mutex_);
    held_.boxes.insert(held_.boxes.begin(), group.boxes.begin(), group.boxes.end());
    held_.planes.insert(held_.planes.begin(), group.planes.begin(), group.planes.end());
    held_.bytes += group.bytes;
    return recorded;
  }
  uncommitted_bytes_ -= group.bytes;
  return chunks;
}

absl::Status UploadWriter::Record(const Group& group) {
  CrashPoint("upload-before-commit");
  RETURN_IF_ERROR(context_.store.CommitBoxes(volume_.id, group.boxes));
  CrashPoint("upload-after-commit");
  context_.digests->Add(group.planes);
  context_.claims->MarkCommitted(group.boxes);
  context_.changes.Commit(volume_.id, group.boxes);
  if (context_.listener != nullptr) context_.listener->BoxesCommitted(volume_.id, group.boxes);
  context_.committed();
  return absl::OkStatus();
}

}  // namespace deconvoy::server
