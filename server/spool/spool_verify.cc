// Comparing what lies on the disk with the checksums that it was stored with.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/box_crc.h"
#include "server/spool/coverage.h"
#include "server/spool/spool_volume_store.h"

namespace deconvoy::server {
namespace {

constexpr int64_t kPlanesAtOnce = 64;  // whose boxes are held

// In the order in which the store tells boxes of a frame.
bool ComesAfter(const Voxel& one, const Voxel& other) {
  return std::tie(one.z, one.y, one.x) > std::tie(other.z, other.y, other.x);
}

}  // namespace

absl::Status SpoolVolumeStore::Damaged(const VolumeRecord& volume, const CommittedBox& box, uint32_t actual) {
  const std::string path = PathOf(volume.id).string();
  const absl::Status damage = MakeError(
      {.reason = v1::CORRUPT_DATA,
       .remedy = "Send the volume, or compute it, again, and have the disk of the spool looked at.",
       .metadata = {{"volume", VolumeName(volume.id)}, {"box", BoxText(box.box)}, {"path", path}}},
      fmt::format(
          "{}: the box at {} of {} has changed on the disk: its CRC-32C is {:08x}, but it was stored with {:08x}", path,
          BoxText(box.box), VolumeName(volume.id), actual, box.crc32c));
  spdlog::error("{}", LogText(damage));
  ForgetDigestsOf(volume.id);  // Finish is to read what is there
  const absl::Status forgotten = store_.ForgetDigest(volume.id);
  if (!forgotten.ok()) spdlog::error("{} is still found by its digest: {}", VolumeName(volume.id), LogText(forgotten));
  ForgetThoseThatShare(volume);
  return damage;
}

// Volumes with the same file are damaged with it, and are not to be found by their digest either.
void SpoolVolumeStore::ForgetThoseThatShare(const VolumeRecord& volume) {
  constexpr int kAtOnce = 1000;
  if (volume.spec.digest().empty()) return;
  std::string next;
  do {
    const absl::StatusOr<Page<VolumeRecord>> page = store_.ListVolumes(volume.owner, kAtOnce, next);
    if (!page.ok()) {
      spdlog::error("volumes with the same bytes as {} are still found by their digest: {}", VolumeName(volume.id),
                    LogText(page.status()));
      return;
    }
    for (const VolumeRecord& other : page->items) {
      std::error_code ignored;
      if (other.id == volume.id || other.spec.digest() != volume.spec.digest()) continue;
      if (std::filesystem::equivalent(PathOf(other.id), PathOf(volume.id), ignored)) {
        store_.ForgetDigest(other.id).IgnoreError();
      }
    }
    next = page->next_token;
  } while (!next.empty());
}

absl::Status SpoolVolumeStore::CheckBytes(const VolumeRecord& volume, const File& file, const CommittedBox& box) {
  const v1::VoxelType type = volume.spec.type();
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), type, "spec.shape"));
  std::vector<std::byte> buffer;
  ASSIGN_OR_RETURN(const uint32_t crc, Crc32cOfBox(file, shape, type, box.box, buffer));
  return crc == box.crc32c ? absl::OkStatus() : Damaged(volume, box, crc);
}

absl::Status SpoolVolumeStore::VerifyFrom(const std::string& id, VerifyPlace& place, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, store_.GetVolume(id));
  if (volume.state != v1::COMPLETE && volume.job_output) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(PathOf(id), false));
  for (; place.frame < shape.frames(); ++place.frame, place.last.reset()) {
    for (int64_t z = place.last ? place.last->z : 0; z < shape.z; z += kPlanesAtOnce) {
      ASSIGN_OR_RETURN(const std::vector<CommittedBox> boxes,
                       store_.GetBoxesFrom(id, place.frame / shape.c, place.frame % shape.c, z, z + kPlanesAtOnce));
      for (const CommittedBox& box : boxes) {
        const Voxel& origin = box.box.box.origin;
        if (place.last && !ComesAfter(origin, *place.last)) continue;
        if (stop.stop_requested()) return absl::CancelledError("the check was broken off");
        RETURN_IF_ERROR(CheckBytes(volume, *file, box));
        place.last = origin;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server
