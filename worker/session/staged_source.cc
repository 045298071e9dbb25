#include "worker/session/staged_source.h"

#include <algorithm>
#include <new>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kSlabBytes = 8 << 20;  // where a plane is not larger

int64_t VoxelBytes(const InputBox& input) {
  return BytesPerVoxel(input.volume->spec().type());
}

bool IsIn(const FrameBox& outer, const FrameBox& inner) {
  return outer.t == inner.t && outer.c == inner.c && outer.box.Contains(inner.box);
}

}  // namespace

void StagedSource::Announce(const std::vector<InputBox>& boxes) {
  const std::lock_guard lock(mutex_);
  for (const InputBox& input : boxes) {
    const int64_t first = input.box.box.origin.z;
    regions_.push_back({.input = input, .begin = first, .end = first, .slabs = {}});
  }
}

absl::Status StagedSource::Fill() {
  absl::Status status = FillRegions();
  const std::lock_guard lock(mutex_);
  over_ = true;
  changed_.notify_all();
  return status;
}

// What it reads ahead is worth no more than the memory that is left.
absl::Status StagedSource::FillRegions() {
  try {
    for (Region& region : regions_) RETURN_IF_ERROR(FillRegion(region));
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return MakeError({.reason = v1::OUT_OF_MEMORY}, "there is no memory left to read ahead into");
  }
}

absl::Status StagedSource::FillRegion(Region& region) {
  const Box3& whole = region.input.box.box;
  const int64_t plane_bytes = whole.shape.y * whole.shape.x * VoxelBytes(region.input);
  const int64_t at_once = std::max<int64_t>(kSlabBytes / plane_bytes, 1);
  for (int64_t z = whole.origin.z; z < whole.end().z; z += at_once) {
    if (IsOver()) break;
    FrameBox box = region.input.box;
    box.box.origin.z = z;
    box.box.shape.z = std::min(at_once, whole.end().z - z);
    std::vector<std::byte> bytes(static_cast<size_t>(box.box.shape.z * plane_bytes));
    RETURN_IF_ERROR(next_.Read(*region.input.volume, box, bytes));
    const std::lock_guard lock(mutex_);
    if (over_) break;
    region.slabs.push_back({box.box, std::move(bytes)});
    region.end = box.box.end().z;
    changed_.notify_all();
  }
  return absl::OkStatus();
}

bool StagedSource::IsOver() {
  const std::lock_guard lock(mutex_);
  return over_;
}

void StagedSource::Close() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  for (Region& region : regions_) Forget(region, region.end);
  changed_.notify_all();
}

StagedSource::Region* StagedSource::Find(const v1::VolumeAccess& volume, const FrameBox& box) {
  const auto found = std::find_if(regions_.begin(), regions_.end(), [&](const Region& region) {
    return region.input.volume->volume() == volume.volume() && IsIn(region.input.box, box) &&
           region.begin <= box.box.origin.z;
  });
  return found == regions_.end() ? nullptr : &*found;
}

void StagedSource::Copy(const Region& region, const Box3& box, std::span<std::byte> target) {
  for (const Slab& slab : region.slabs) {
    CopyBox(slab.bytes.data(), slab.box, target.data(), box, VoxelBytes(region.input));
  }
}

// Gives back the slabs that end at `before` or earlier.
void StagedSource::Forget(Region& region, int64_t before) {
  while (!region.slabs.empty() && region.slabs.front().box.end().z <= before) {
    region.begin = region.slabs.front().box.end().z;
    region.slabs.pop_front();
  }
}

absl::Status StagedSource::Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  {
    std::unique_lock lock(mutex_);
    const int64_t end = box.box.end().z;
    if (Region* region = Find(volume, box)) {
      changed_.wait(lock, [&] { return over_ || region->end >= end; });
      if (region->end >= end && region->begin <= box.box.origin.z) {
        Copy(*region, box.box, target);
        Forget(*region, end);
        return absl::OkStatus();
      }
    }
  }
  return next_.Read(volume, box, target);
}

}  // namespace deconvoy::worker
