#include "proto/contract/volume_layout.h"

#include <fmt/format.h>

#include <cstring>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

absl::Status CheckExtent(int64_t extent, int64_t limit, std::string_view axis, std::string_view field) {
  if (extent >= 1 && extent <= limit) return absl::OkStatus();
  return MakeError({.reason = extent < 1 ? v1::INVALID_FIELD : v1::LIMIT_EXCEEDED,
                    .field = fmt::format("{}.{}", field, axis),
                    .remedy = fmt::format("Give an extent from 1 to {}.", limit),
                    .metadata = {{"limit", fmt::to_string(limit)}}},
                   fmt::format("`{}.{}` is {}, which is outside 1 to {}", field, axis, extent, limit));
}

uint32_t ToUnsigned(int64_t value) {
  return static_cast<uint32_t>(value);
}
int32_t ToSigned(int64_t value) {
  return static_cast<int32_t>(value);
}

}  // namespace

int64_t BytesPerVoxel(v1::VoxelType type) {
  switch (type) {
    case v1::U8:
      return 1;
    case v1::U16:
      return 2;
    case v1::F32:
      return 4;
    default:
      return 0;
  }
}

absl::StatusOr<Shape5> ToShape(const v1::Shape5& shape, v1::VoxelType type, std::string_view field) {
  RETURN_IF_ERROR(CheckExtent(shape.t(), limits::kFrames, "t", field));
  RETURN_IF_ERROR(CheckExtent(shape.c(), limits::kChannels, "c", field));
  RETURN_IF_ERROR(CheckExtent(shape.z(), limits::kAxisVoxels, "z", field));
  RETURN_IF_ERROR(CheckExtent(shape.y(), limits::kAxisVoxels, "y", field));
  RETURN_IF_ERROR(CheckExtent(shape.x(), limits::kAxisVoxels, "x", field));
  const Shape5 result{shape.t(), shape.c(), shape.z(), shape.y(), shape.x()};
  if (result.frames() > limits::kFrames) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = std::string(field),
                      .remedy = "Split the volume into several.",
                      .metadata = {{"limit", fmt::to_string(limits::kFrames)}}},
                     fmt::format("`{}` has {} time points times {} channels, more than {} frames", field, result.t,
                                 result.c, limits::kFrames));
  }
  // Dividing the limit instead of multiplying the extents: nothing overflows.
  int64_t room = limits::kVolumeBytes / std::max<int64_t>(BytesPerVoxel(type), 1);
  for (const int64_t extent : {result.t, result.c, result.z, result.y, result.x}) room /= extent;
  if (room < 1) {
    return MakeError(
        {.reason = v1::LIMIT_EXCEEDED,
         .field = std::string(field),
         .remedy = "Split the volume into several.",
         .metadata = {{"limit", fmt::to_string(limits::kVolumeBytes)}}},
        fmt::format("`{}` is {} x {} x {} x {} x {} voxels of {} bytes, more than {} bytes", field, result.t, result.c,
                    result.z, result.y, result.x, BytesPerVoxel(type), limits::kVolumeBytes));
  }
  return result;
}

v1::Shape5 ToProto(const Shape5& shape) {
  v1::Shape5 proto;
  proto.set_t(ToUnsigned(shape.t));
  proto.set_c(ToUnsigned(shape.c));
  proto.set_z(ToUnsigned(shape.z));
  proto.set_y(ToUnsigned(shape.y));
  proto.set_x(ToUnsigned(shape.x));
  return proto;
}

FrameBox ToFrameBox(const v1::Box& box) {
  return {.t = box.t(),
          .c = box.c(),
          .box = {.origin = {box.z(), box.y(), box.x()}, .shape = {box.size_z(), box.size_y(), box.size_x()}}};
}

v1::Box ToProto(const FrameBox& box) {
  v1::Box proto;
  proto.set_t(ToUnsigned(box.t));
  proto.set_c(ToUnsigned(box.c));
  proto.set_z(ToUnsigned(box.box.origin.z));
  proto.set_y(ToUnsigned(box.box.origin.y));
  proto.set_x(ToUnsigned(box.box.origin.x));
  proto.set_size_z(ToUnsigned(box.box.shape.z));
  proto.set_size_y(ToUnsigned(box.box.shape.y));
  proto.set_size_x(ToUnsigned(box.box.shape.x));
  return proto;
}

Voxel ToVoxel(const v1::Voxel3& voxel) {
  return {voxel.z(), voxel.y(), voxel.x()};
}

v1::Voxel3 ToProto(const Voxel& voxel) {
  v1::Voxel3 proto;
  proto.set_z(ToSigned(voxel.z));
  proto.set_y(ToSigned(voxel.y));
  proto.set_x(ToSigned(voxel.x));
  return proto;
}

Shape3 ToShape3(const v1::Voxel3& shape) {
  return {shape.z(), shape.y(), shape.x()};
}

v1::Voxel3 ToProto(const Shape3& shape) {
  return ToProto(Voxel{shape.z, shape.y, shape.x});
}

absl::Status CheckBox(const v1::Box& box, const Shape5& volume, std::string_view field) {
  const FrameBox frame_box = ToFrameBox(box);
  const Box3 frame{.origin = {}, .shape = volume.frame()};
  const bool inside = frame_box.t < volume.t && frame_box.c < volume.c && frame.Contains(frame_box.box);
  if (inside && !frame_box.box.empty()) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = "Give a box of at least one voxel inside the volume."},
      fmt::format("`{}` at t,c,z,y,x {},{},{},{},{} of {} x {} x {} voxels is {} the volume of {} x {} x {} x "
                  "{} x {}",
                  field, box.t(), box.c(), box.z(), box.y(), box.x(), box.size_z(), box.size_y(), box.size_x(),
                  frame_box.box.empty() ? "empty, in" : "not inside", volume.t, volume.c, volume.z, volume.y,
                  volume.x));
}

int64_t VolumeBytes(const Shape5& shape, v1::VoxelType type) {
  return shape.voxels() * BytesPerVoxel(type);
}

absl::Status ForEachRun(const Shape5& volume, v1::VoxelType type, const FrameBox& box,
                        const std::function<absl::Status(const ByteRun&)>& visit) {
  const int64_t voxel_bytes = BytesPerVoxel(type);
  const Voxel origin = box.box.origin;
  // The part of the box that one run covers: rows join when they are whole, planes when they are, too.
  Shape3 run{1, 1, box.box.shape.x};
  if (run.x == volume.x) run.y = box.box.shape.y;
  if (run.x == volume.x && run.y == volume.y) run.z = box.box.shape.z;
  ByteRun next{.volume_offset = 0, .box_offset = 0, .bytes = run.voxels() * voxel_bytes};
  for (int64_t z = 0; z < box.box.shape.z; z += run.z) {
    for (int64_t y = 0; y < box.box.shape.y; y += run.y) {
      const int64_t plane = (box.t * volume.c + box.c) * volume.z + origin.z + z;
      next.volume_offset = ((plane * volume.y + origin.y + y) * volume.x + origin.x) * voxel_bytes;
      RETURN_IF_ERROR(visit(next));
      next.box_offset += next.bytes;
    }
  }
  return absl::OkStatus();
}

absl::Status ForEachPiece(const FrameBox& box, v1::VoxelType type, int64_t max_bytes,
                          const std::function<absl::Status(const FrameBox&)>& visit) {
  const Shape3 whole = box.box.shape;
  const int64_t room = std::max<int64_t>(max_bytes / std::max<int64_t>(BytesPerVoxel(type), 1), 1);
  Shape3 step{1, 1, std::min(room, whole.x)};
  if (step.x == whole.x) step.y = std::min(room / whole.x, whole.y);
  if (step.x == whole.x && step.y == whole.y) step.z = std::min(room / (whole.x * whole.y), whole.z);
  for (int64_t z = 0; z < whole.z; z += step.z) {
    for (int64_t y = 0; y < whole.y; y += step.y) {
      for (int64_t x = 0; x < whole.x; x += step.x) {
        const Shape3 shape{std::min(step.z, whole.z - z), std::min(step.y, whole.y - y), std::min(step.x, whole.x - x)};
        RETURN_IF_ERROR(visit({.t = box.t, .c = box.c, .box = {box.box.origin + Voxel{z, y, x}, shape}}));
      }
    }
  }
  return absl::OkStatus();
}

void CopyBox(const std::byte* source, const Box3& from, std::byte* target, const Box3& to, int64_t bytes_per_voxel) {
  const Box3 common = Intersect(from, to);
  const auto offset = [bytes_per_voxel](const Box3& box, const Voxel& voxel) {
    const Voxel in_box = voxel - box.origin;
    return ((in_box.z * box.shape.y + in_box.y) * box.shape.x + in_box.x) * bytes_per_voxel;
  };
  for (int64_t z = 0; z < common.shape.z; ++z) {
    for (int64_t y = 0; y < common.shape.y; ++y) {
      const Voxel row = common.origin + Voxel{z, y, 0};
      std::memcpy(target + offset(to, row), source + offset(from, row),
                  static_cast<size_t>(common.shape.x * bytes_per_voxel));
    }
  }
}

}  // namespace deconvoy
