#include "worker/pipeline/core_reader.h"

#include <algorithm>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {

CoreReader::CoreReader(Ops& ops, const Array& array, const Box3& core, const VoxelRule& rule, int64_t slab_bytes)
    : ops_(ops),
      array_(array),
      core_(core),
      rule_(rule),
      plane_bytes_(core.shape.y * core.shape.x * BytesPerVoxel(rule.type)),
      at_once_(std::clamp<int64_t>(slab_bytes / plane_bytes_, 1, core.shape.z)) {}

int64_t CoreReader::slabs() const {
  return (core_.shape.z + at_once_ - 1) / at_once_;
}

Box3 CoreReader::Slab(int64_t index) const {
  Box3 slab = core_;
  slab.origin.z += index * at_once_;
  slab.shape.z = std::min(at_once_, core_.shape.z - index * at_once_);
  return slab;
}

absl::Status CoreReader::Begin(int64_t index) {
  std::unique_ptr<Staging>& staging = stagings_[static_cast<size_t>(index % 2)];
  if (staging == nullptr) {
    ASSIGN_OR_RETURN(staging, ops_.Stage(at_once_ * plane_bytes_));
  }
  return ops_.finishing()->Unload(array_, Slab(index), rule_, *staging);
}

absl::StatusOr<std::span<const std::byte>> CoreReader::Next() {
  if (read_ == slabs()) return std::span<const std::byte>();
  // The staging of the slab before this one is free by now.
  for (; begun_ < std::min(read_ + 2, slabs()); ++begun_) RETURN_IF_ERROR(Begin(begun_));
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, stagings_[static_cast<size_t>(read_ % 2)]->Bytes());
  const int64_t planes = Slab(read_).shape.z;
  ++read_;
  return bytes.first(static_cast<size_t>(planes * plane_bytes_));
}

}  // namespace deconvoy::worker
