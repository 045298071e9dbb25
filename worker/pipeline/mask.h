// Which voxels of a frame count.
//
// m is 0 where the mask volume is 0, where the image has at least `saturation_counts`, and in bad pixels; else what the
// light that a voxel saw makes it weigh, 1 without a correction.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/region_correction.h"

namespace deconvoy::worker {

// The mask volume of a task; null where its specification names none. Errors: those of FindInput.
absl::StatusOr<const v1::VolumeAccess*> FindMask(const v1::Task& task, const v1::DeconvolveSpec& spec);

// The region of the mask volume that belongs to a region of the image: it may have one channel for all, and has one
// time point.
FrameBox RegionOfMask(const v1::VolumeAccess& mask, FrameBox image);

// Reads m beside an image, plane by plane.
class MaskReader {
 public:
  // `mask` and `correction`, which is that of the region, may be null. `saturation_counts` 0: none. All must outlive
  // the reader.
  MaskReader(VolumeSource& source, const v1::VolumeAccess* mask, double saturation_counts, const FrameBox& region,
             const RegionCorrection* correction = nullptr);

  // m on plane `z`, from the region's first one, of which `counts` are the image's. Valid until the next call; empty
  // where every voxel counts alike. In `counts`, voxels of the mask, bad pixels and what is no number where m is 0
  // become `fill`, and saturated ones the limit; where bad pixels have to count, the median of their neighbours.
  absl::StatusOr<std::span<const float>> Read(int64_t z, float fill, std::span<float> counts);

 private:
  std::optional<PlaneReader> mask_;
  const double saturation_counts_;
  const int64_t columns_;
  const RegionCorrection* const correction_;
  std::vector<float> plane_;
};

}  // namespace deconvoy::worker
