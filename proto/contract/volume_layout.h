// How voxels lie in a volume's bytes: C order t,c,z,y,x, little endian, no gaps.
//
// Everything here is arithmetic on values that `CheckShape` has accepted; nothing can overflow after that.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

// Bytes of one voxel: 1, 2 or 4; 0 for an unspecified type.
int64_t BytesPerVoxel(v1::VoxelType type);

// To and from the wire. `ToShape` accepts only what the limits allow: every extent from 1 to its limit, and the
// product of extents and voxel bytes at most `limits::kVolumeBytes`; `field` names the field in the error.
absl::StatusOr<Shape5> ToShape(const v1::Shape5& shape, v1::VoxelType type, std::string_view field);
v1::Shape5 ToProto(const Shape5& shape);
FrameBox ToFrameBox(const v1::Box& box);
v1::Box ToProto(const FrameBox& box);
Voxel ToVoxel(const v1::Voxel3& voxel);
v1::Voxel3 ToProto(const Voxel& voxel);
Shape3 ToShape3(const v1::Voxel3& shape);
v1::Voxel3 ToProto(const Shape3& shape);

// INVALID_ARGUMENT unless `box` is not empty and lies inside `volume`.
absl::Status CheckBox(const v1::Box& box, const Shape5& volume, std::string_view field);

// Total bytes of a volume.
int64_t VolumeBytes(const Shape5& shape, v1::VoxelType type);

// A run of consecutive bytes of a volume that belongs to a box.
struct ByteRun {
  int64_t volume_offset;  // where it lies in the volume's bytes
  int64_t box_offset;     // where it lies in the box's own bytes (C order)
  int64_t bytes;
};

// Calls `visit` for each run of `box`, in order, merged as far as rows and planes are contiguous; stops at the first
// error.
absl::Status ForEachRun(const Shape5& volume, v1::VoxelType type, const FrameBox& box,
                        const std::function<absl::Status(const ByteRun&)>& visit);

// Cuts `box` into pieces of at most `max_bytes`: whole planes while several fit, else whole rows of one plane, else
// parts of one row. In z,y,x order.
absl::Status ForEachPiece(const FrameBox& box, v1::VoxelType type, int64_t max_bytes,
                          const std::function<absl::Status(const FrameBox&)>& visit);

// Copies the voxels common to both boxes from an array that holds `from` to one that holds `to` (both C order).
void CopyBox(const std::byte* source, const Box3& from, std::byte* target, const Box3& to, int64_t bytes_per_voxel);

}  // namespace deconvoy
