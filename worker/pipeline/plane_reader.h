// Reading the volumes of a task plane by plane in bounded memory.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The volume of this name among the task's inputs. Errors: INVALID_FIELD when it is not there.
absl::StatusOr<const v1::VolumeAccess*> FindInput(const v1::Task& task, std::string_view volume);

// Extent of one frame of a volume.
Shape3 FrameShape(const v1::VolumeSpec& spec);

// The planes of one region of a volume as float; several are read at once where they are small.
class PlaneReader {
 public:
  // All must outlive the reader.
  PlaneReader(VolumeSource& source, const v1::VolumeAccess& volume, const FrameBox& region);

  // Plane `z`, from the region's first one. Valid until the next call, and may be changed. Cheapest in order.
  absl::StatusOr<std::span<float>> Read(int64_t z);

 private:
  VolumeSource& source_;
  const v1::VolumeAccess& volume_;
  const FrameBox region_;
  const int64_t at_once_;
  int64_t begin_ = 0, end_ = 0;  // planes in raw_
  std::vector<std::byte> raw_;
  std::vector<float> plane_;
};

// Takes one plane as float; `z` counts from the region's first plane. May change the values.
using PlaneVisitor = std::function<absl::Status(int64_t z, std::span<float> plane)>;

// Calls `visit` for each plane of `region` in order.
absl::Status ForEachPlane(VolumeSource& source, const v1::VolumeAccess& volume, const FrameBox& region,
                          const PlaneVisitor& visit);

// Memory that this takes.
int64_t PlaneReadingBytes(v1::VoxelType type, const Shape3& region);

// A whole region as float.
absl::StatusOr<std::vector<float>> ReadRegion(VolumeSource& source, const v1::VolumeAccess& volume,
                                              const FrameBox& region);

// The first value of `plane` that is not finite as an error NOT_FINITE_INPUT naming its place in the volume; `region`
// and `z` as for the visitor. OK where all are finite.
absl::Status CheckFinite(std::span<const float> plane, const FrameBox& region, int64_t z);

// The error for `count` voxels that are NaN or infinite, the first at `first` of the frame (t, c).
absl::Status NotFiniteError(int64_t count, int64_t t, int64_t c, const Voxel& first);

}  // namespace deconvoy::worker
