#include "proto/contract/companion_volumes.h"

#include <fmt/format.h>

#include "proto/contract/error.h"

namespace deconvoy {

absl::Status ValidateMask(const v1::VolumeSpec& image, const v1::VolumeSpec& mask) {
  constexpr char kField[] = "deconvolve.mask_volume";
  if (mask.type() != v1::U8) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = kField,
                      .remedy = "Give 8-bit voxels: 0 where a voxel does not count, else 1."},
                     fmt::format("`{}` is not of type U8", kField));
  }
  const v1::Shape5 &m = mask.shape(), &i = image.shape();
  const bool fits = m.t() == 1 && (m.c() == 1 || m.c() == i.c()) && m.z() == i.z() && m.y() == i.y() && m.x() == i.x();
  if (fits) return absl::OkStatus();
  return MakeError(
      {.reason = v1::SHAPE_MISMATCH,
       .field = kField,
       .remedy = "Give a mask of the image's planes, rows and columns, with one time point, and one channel "
                 "or as many as the image."},
      fmt::format("the mask has {} x {} x {} x {} x {} voxels (t,c,z,y,x), but the image {} x {} x {} x {} x {}", m.t(),
                  m.c(), m.z(), m.y(), m.x(), i.t(), i.c(), i.z(), i.y(), i.x()));
}

absl::Status ValidateFlatField(const v1::VolumeSpec& image, const v1::VolumeSpec& flat) {
  const v1::Shape5 &f = flat.shape(), &i = image.shape();
  if (f.t() == 1 && f.z() == 1 && (f.c() == 1 || f.c() == i.c()) && f.y() == i.y() && f.x() == i.x()) {
    return absl::OkStatus();
  }
  return MakeError(
      {.reason = v1::SHAPE_MISMATCH,
       .field = "deconvolve.flat_field_volume",
       .remedy = "Give a flat field of one plane of the image's rows and columns, with one time point, and one channel "
                 "or as many as the image."},
      fmt::format("the flat field has {} x {} x {} x {} x {} voxels (t,c,z,y,x), but the image {} x {} x {} x {} x {}",
                  f.t(), f.c(), f.z(), f.y(), f.x(), i.t(), i.c(), i.z(), i.y(), i.x()));
}

}  // namespace deconvoy
