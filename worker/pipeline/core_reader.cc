#include "worker/pipeline/core_reader.h"

#include <cstring>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {

absl::Status CoreReader::Begin(int64_t z) {
  const auto which = static_cast<size_t>(z % 2);
  if (planes_[which] == z) return absl::OkStatus();
  Box3 plane = core_;
  plane.origin.z += z;
  plane.shape.z = 1;
  if (stagings_[which] == nullptr) {
    ASSIGN_OR_RETURN(stagings_[which], ops_.Stage(plane.shape.voxels() * static_cast<int64_t>(sizeof(float))));
  }
  planes_[which] = -1;
  RETURN_IF_ERROR(ops_.Unload(array_, plane, *stagings_[which]));
  planes_[which] = z;
  return absl::OkStatus();
}

absl::Status CoreReader::Read(int64_t z, std::span<float> plane) {
  RETURN_IF_ERROR(Begin(z));
  if (z + 1 < core_.shape.z) RETURN_IF_ERROR(Begin(z + 1));
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, stagings_[static_cast<size_t>(z % 2)]->Bytes());
  std::memcpy(plane.data(), bytes.data(), plane.size_bytes());
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
