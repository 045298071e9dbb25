#include "worker/pipeline/plane_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kReadBytes = 8 << 20;  // read at once, where a plane is not larger

int64_t PlanesAtOnce(v1::VoxelType type, const Shape3& region) {
  return std::max<int64_t>(std::min(kReadBytes / (region.y * region.x * BytesPerVoxel(type)), region.z), 1);
}

}  // namespace

absl::StatusOr<const v1::VolumeAccess*> FindInput(const v1::Task& task, std::string_view volume) {
  for (const v1::VolumeAccess& access : task.inputs()) {
    if (access.volume() == volume) return &access;
  }
  return MakeError({.reason = v1::INVALID_FIELD, .field = "task.inputs"},
                   fmt::format("the task does not say how to read `{}`", Printable(volume)));
}

Shape3 FrameShape(const v1::VolumeSpec& spec) {
  return {spec.shape().z(), spec.shape().y(), spec.shape().x()};
}

PlaneReader::PlaneReader(VolumeSource& source, const v1::VolumeAccess& volume, const FrameBox& region)
    : source_(source),
      volume_(volume),
      region_(region),
      at_once_(PlanesAtOnce(volume.spec().type(), region.box.shape)),
      plane_(static_cast<size_t>(region.box.shape.y * region.box.shape.x)) {
  raw_.resize(plane_.size() * static_cast<size_t>(at_once_ * BytesPerVoxel(volume.spec().type())));
}

absl::StatusOr<std::span<float>> PlaneReader::Read(int64_t z) {
  const v1::VoxelType type = volume_.spec().type();
  const size_t plane_bytes = plane_.size() * static_cast<size_t>(BytesPerVoxel(type));
  if (z < begin_ || z >= end_) {
    FrameBox slab = region_;
    slab.box.origin.z += z;
    slab.box.shape.z = std::min(at_once_, region_.box.shape.z - z);
    begin_ = end_ = z;
    RETURN_IF_ERROR(
        source_.Read(volume_, slab, std::span(raw_).first(static_cast<size_t>(slab.box.shape.z) * plane_bytes)));
    end_ = z + slab.box.shape.z;
  }
  ToFloat(std::span(raw_).subspan(static_cast<size_t>(z - begin_) * plane_bytes, plane_bytes), type, plane_);
  return std::span(plane_);
}

absl::Status ForEachPlane(VolumeSource& source, const v1::VolumeAccess& volume, const FrameBox& region,
                          const PlaneVisitor& visit) {
  PlaneReader reader(source, volume, region);
  for (int64_t z = 0; z < region.box.shape.z; ++z) {
    ASSIGN_OR_RETURN(const std::span<float> plane, reader.Read(z));
    RETURN_IF_ERROR(visit(z, plane));
  }
  return absl::OkStatus();
}

int64_t PlaneReadingBytes(v1::VoxelType type, const Shape3& region) {
  const auto plane = static_cast<int64_t>(sizeof(float)) + PlanesAtOnce(type, region) * BytesPerVoxel(type);
  return region.y * region.x * plane;
}

absl::StatusOr<std::vector<float>> ReadRegion(VolumeSource& source, const v1::VolumeAccess& volume,
                                              const FrameBox& region) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(region.box.shape.voxels()));
  RETURN_IF_ERROR(ForEachPlane(source, volume, region, [&](int64_t, std::span<float> plane) {
    values.insert(values.end(), plane.begin(), plane.end());
    return absl::OkStatus();
  }));
  return values;
}

absl::Status CheckFinite(std::span<const float> plane, const FrameBox& region, int64_t z) {
  const auto is_bad = [](float v) { return !std::isfinite(v); };
  const auto first = std::find_if(plane.begin(), plane.end(), is_bad);
  if (first == plane.end()) return absl::OkStatus();
  const int64_t index = first - plane.begin(), columns = region.box.shape.x;
  const Voxel place = region.box.origin + Voxel{z, index / columns, index % columns};
  return NotFiniteError(std::count_if(first, plane.end(), is_bad), region.t, region.c, place);
}

absl::Status NotFiniteError(int64_t count, int64_t t, int64_t c, const Voxel& first) {
  return MakeError({.reason = v1::NOT_FINITE_INPUT,
                    .field = "deconvolve.input_volume",
                    .remedy = "Replace NaN and infinite voxels in the image, for instance by the background."},
                   fmt::format("the image has NaN or infinite voxels: {}, the first at t={} c={} z={} y={} x={}", count,
                               t, c, first.z, first.y, first.x));
}

}  // namespace deconvoy::worker
