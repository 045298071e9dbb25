// Brings a measured box, plane by plane, to its place in a domain.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// The measured box lies at the domain's origin. Where the array is larger than it, the rest is filled by reflection
// (worker/imaging/reflection.h).
class PlaneUploader {
 public:
  // Both must outlive the uploader. REQUIRES: the array's box starts at the origin and holds `measured`.
  PlaneUploader(Ops& ops, const Shape3& measured, Array& array);

  // Plane `z` of the measured box.
  absl::Status Upload(int64_t z, std::span<const float> plane);

 private:
  Ops& ops_;
  const Shape3 measured_;
  Array& array_;
  const bool reflects_;
  std::vector<int64_t> planes_, rows_, columns_;  // where each voxel of an axis comes from
  std::vector<float> reflected_;
};

}  // namespace deconvoy::worker
