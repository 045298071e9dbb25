// Reading volumes back: what is missing, the digest, regions for callers.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/beside.h"
#include "server/spool/coverage.h"
#include "server/spool/spool_volume_store.h"
#include "server/spool/stored_boxes.h"
#include "server/spool/volume_digest.h"

namespace deconvoy::server {
namespace {

constexpr size_t kMissingCounted = 1000;
// Shorter runs are read through the page cache, which reads ahead.
constexpr int64_t kPastFrom = 128 * 1024;

std::vector<Box3> InFrame(const std::vector<CommittedBox>& committed) {
  std::vector<Box3> boxes;
  boxes.reserve(committed.size());
  for (const CommittedBox& box : committed) boxes.push_back(box.box.box);
  return boxes;
}

absl::Status CheckDigest(const std::string& volume_id, const std::string& actual, const std::string& announced) {
  if (announced.empty() || actual == announced) return absl::OkStatus();
  const std::string actual_hex = ToHex(std::as_bytes(std::span(actual)));
  const std::string announced_hex = ToHex(std::as_bytes(std::span(announced)));
  return MakeError(
      {.reason = v1::DIGEST_MISMATCH,
       .field = "digest",
       .remedy = "Delete the volume and send it again.",
       .metadata = {{"actual", actual_hex}, {"announced", announced_hex}}},
      fmt::format("{} has digest {}, but {} was announced", VolumeName(volume_id), actual_hex, announced_hex));
}

}  // namespace

absl::StatusOr<std::vector<FrameBox>> SpoolVolumeStore::Missing(const VolumeRecord& volume, size_t limit) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  std::vector<FrameBox> missing;
  for (int64_t frame = 0; frame < shape.frames() && missing.size() < limit; ++frame) {
    const int64_t t = frame / shape.c, c = frame % shape.c;
    std::vector<Box3> boxes;
    if (volume.committed_bytes > 0) {
      ASSIGN_OR_RETURN(const std::vector<CommittedBox> committed, store_.GetBoxes(volume.id, t, c));
      boxes = InFrame(committed);
    }
    for (const Box3& box : MissingBoxes(shape.frame(), std::move(boxes), limit - missing.size())) {
      missing.push_back({t, c, box});
    }
  }
  return missing;
}

absl::Status SpoolVolumeStore::CheckNothingMissing(const VolumeRecord& volume) {
  if (volume.committed_bytes == static_cast<int64_t>(ToVolume(volume).size_bytes())) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<FrameBox> missing, Missing(volume, kMissingCounted));
  if (missing.empty()) return absl::OkStatus();
  const std::string count = fmt::format("{}{}", missing.size() == kMissingCounted ? "at least " : "", missing.size());
  return MakeError(
      {.reason = v1::VOLUME_INCOMPLETE,
       .remedy = "Send the missing boxes; Volumes.Get lists them.",
       .metadata = {{"missing_boxes", fmt::to_string(missing.size())}}},
      fmt::format("{} still misses {} boxes, the first at {}", VolumeName(volume.id), count, BoxText(missing.front())));
}

absl::StatusOr<std::string> SpoolVolumeStore::ComputeDigest(const VolumeRecord& volume) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(PathOf(volume.id), false));
  const std::map<int64_t, Sha256Digest> known =
      volume.state == v1::WRITING ? DigestsOf(volume.id)->All() : std::map<int64_t, Sha256Digest>();
  const int64_t plane_bytes = shape.y * shape.x * BytesPerVoxel(volume.spec.type());
  ASSIGN_OR_RETURN(const Sha256Digest digest, DigestOfPlanes(*file, shape.frames() * shape.z, plane_bytes, known));
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

absl::StatusOr<std::string> SpoolVolumeStore::Digest(const std::string& id) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, store_.GetVolume(id));
  if (volume.state != v1::COMPLETE) {
    return MakeError({.reason = v1::VOLUME_INCOMPLETE,
                      .field = "volume",
                      .remedy = "Send what is missing and call Finish, or wait until its job has ended."},
                     fmt::format("{} is not complete yet", VolumeName(id)));
  }
  if (!volume.spec.digest().empty()) return volume.spec.digest();
  return ComputeDigest(volume);
}

// Of a volume that has all of its bytes.
absl::Status SpoolVolumeStore::CheckWritten(const VolumeRecord& volume, const std::string& actual,
                                            const std::string& announced) {
  absl::Status status = CheckDigest(volume.id, actual, announced);
  if (!status.ok() && listener_ != nullptr) listener_->DigestMismatched(volume.id, status);
  return status;
}

std::optional<std::string> SpoolVolumeStore::TwinOf(const VolumeRecord& volume, const std::string& digest) {
  const absl::StatusOr<std::optional<VolumeRecord>> twin = store_.FindVolumeByDigest(volume.owner, digest);
  if (!twin.ok() || !twin->has_value() || (*twin)->id == volume.id) return std::nullopt;
  if (ToVolume(**twin).size_bytes() != ToVolume(volume).size_bytes()) return std::nullopt;
  return (*twin)->id;
}

// Neither volume is written any more.
void SpoolVolumeStore::ShareBytes(const std::string& id, const std::string& twin) {
  absl::Status shared = files_.Link(PathOf(twin), PathOf(id));
  if (shared.ok()) shared = files_.SyncDirectory(PathOf(id).parent_path());
  if (shared.ok()) return;
  spdlog::warn("{} and {} hold the same bytes twice: {}", VolumeName(twin), VolumeName(id), LogText(shared));
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Finish(const std::string& id, const std::string& digest) {
  ASSIGN_OR_RETURN(VolumeRecord volume, store_.GetVolume(id));
  if (volume.state == v1::COMPLETE) {
    std::string actual = volume.spec.digest();
    if (actual.empty() && !digest.empty()) {
      ASSIGN_OR_RETURN(actual, ComputeDigest(volume));
    }
    RETURN_IF_ERROR(CheckDigest(id, actual, digest));
    return ToVolume(volume);
  }
  if (volume.job_output) {
    return MakeError({.reason = v1::VOLUME_IN_USE},
                     fmt::format("{} is the result of a job, which completes it", VolumeName(id)));
  }
  RETURN_IF_ERROR(CheckNothingMissing(volume));
  NoteUse(volume);
  ASSIGN_OR_RETURN(const std::string actual, ComputeDigest(volume));
  RETURN_IF_ERROR(CheckWritten(volume, actual, digest));
  RETURN_IF_ERROR(CheckWritten(volume, actual, volume.spec.digest()));
  const std::optional<std::string> twin = TwinOf(volume, actual);
  CrashPoint("volume-before-complete");
  RETURN_IF_ERROR(store_.CompleteVolume(id, actual));
  CrashPoint("volume-after-complete");
  ForgetDigestsOf(id);
  if (twin) ShareBytes(id, *twin);
  if (listener_ != nullptr) listener_->Completed(id);
  return Get(id, false);
}

absl::Status SpoolVolumeStore::CheckCovered(const VolumeRecord& volume, const FrameBox& region) {
  if (volume.state == v1::COMPLETE) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<CommittedBox> committed, store_.GetBoxes(volume.id, region.t, region.c));
  const int64_t missing = region.box.shape.voxels() - CoveredVoxels(region.box, InFrame(committed));
  if (missing == 0) return absl::OkStatus();
  return MakeError({.reason = v1::VOLUME_INCOMPLETE, .remedy = "Wait until this region has been written."},
                   fmt::format("{}: {} voxels of the region at {} are not there yet", VolumeName(volume.id), missing,
                               BoxText(region)));
}

absl::Status SpoolVolumeStore::Read(const std::string& id, const v1::Box& region,
                                    const std::function<bool(v1::Chunk&)>& send) {
  ASSIGN_OR_RETURN(VolumeRecord volume, store_.GetVolume(id));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  RETURN_IF_ERROR(CheckBox(region, shape, "region"));
  RETURN_IF_ERROR(CheckCovered(volume, ToFrameBox(region)));
  NoteUse(volume);
  return OrGone(id, Send(volume, ToFrameBox(region), send));
}

absl::Status SpoolVolumeStore::ReadPiece(const VolumeRecord& volume, const Shape5& shape, const File& file,
                                         const FrameBox& piece, StoredBoxes& stored, v1::Chunk& chunk) {
  const v1::VoxelType type = volume.spec.type();
  *chunk.mutable_box() = ToProto(piece);
  chunk.clear_compression();
  std::string& data = *chunk.mutable_data();
  data.resize(static_cast<size_t>(piece.box.shape.voxels() * BytesPerVoxel(type)));
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(data));
  RETURN_IF_ERROR(ForEachRun(shape, type, piece, [&](const ByteRun& run) {
    const auto part = bytes.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes));
    const bool past = run.bytes >= kPastFrom && !file.IsCached(run.volume_offset, run.bytes);
    if (!past) return file.ReadAt(run.volume_offset, part);
    return file.ReadPast(run.volume_offset, part, buffers_.Take().bytes());
  }));
  chunk.set_crc32c(Crc32c(bytes));
  ASSIGN_OR_RETURN(const std::vector<CommittedBox> boxes, stored.UpTo(piece));
  for (const CommittedBox& box : boxes) {
    // Uploads come in the pieces in which they are read, whose checksum is there already.
    if (box.box != piece) {
      RETURN_IF_ERROR(CheckBytes(volume, file, box));
    } else if (box.crc32c != chunk.crc32c()) {
      return Damaged(volume, box, chunk.crc32c());
    }
  }
  return absl::OkStatus();
}

// Each piece is read while the one before is sent.
absl::Status SpoolVolumeStore::Send(const VolumeRecord& volume, const FrameBox& region,
                                    const std::function<bool(v1::Chunk&)>& send) {
  const v1::VoxelType type = volume.spec.type();
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), type, "spec.shape"));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(PathOf(volume.id), false));
  StoredBoxes stored(store_, volume.id, region);
  v1::Chunk sent, next;  // whose memory is used again, where it is left
  absl::Status read;
  bool first = true, wanted = true;
  Beside beside;  // after what its thread uses
  const auto take = [&](const FrameBox& piece) -> absl::Status {
    if (!wanted) return absl::OkStatus();
    if (std::exchange(first, false)) return ReadPiece(volume, shape, *file, piece, stored, sent);
    beside.Start([&] { read = ReadPiece(volume, shape, *file, piece, stored, next); });
    wanted = send(sent);
    beside.Wait();
    RETURN_IF_ERROR(read);
    sent.Swap(&next);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForEachPiece(region, type, limits::kChunkBytes, take));
  if (wanted && !first) send(sent);
  return absl::OkStatus();
}

}  // namespace deconvoy::server
