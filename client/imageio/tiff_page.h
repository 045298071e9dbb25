// One page of a TIFF: what its directory says, and its pixels.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "client/imageio/tiff_file.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::imageio {

// The fields of a directory that matter here. Pages are counted from 0 in code and from 1 in messages.
struct PageInfo {
  int64_t width = 0, height = 0;
  v1::VoxelType type = v1::VOXEL_TYPE_UNSPECIFIED;
  bool compressed = false;
  bool white_is_zero = false;
  bool reduced = false;      // a smaller copy of another page, such as a thumbnail; nothing else is then read
  bool has_pyramid = false;  // sub-directories with reduced copies
  bool turned = false;       // first row and column are not top and left
  float x_resolution = 0, y_resolution = 0;  // pixels per unit, 0 if absent
  uint16_t resolution_unit = 1;              // as in the TIFF specification: 1 none, 2 inch, 3 cm
  std::string description = {};              // ImageDescription

  int64_t bytes() const;
};

// Makes the directory at `offset` current and reads it. Errors: INVALID_ARGUMENT for what is not one grey sample of u8,
// u16 or f32, for compressions that lose something, for absurd sizes, and for pixels beyond the end of the file.
absl::StatusOr<PageInfo> ReadPageInfo(TiffFile& file, int64_t page, uint64_t offset);

// Reads the pixels of the page whose directory is current into `target` (page.bytes() long), rows from the top, little
// endian.
absl::Status ReadPagePixels(TiffFile& file, int64_t page, const PageInfo& info, std::span<std::byte> target);

// `reason` as the error of one page of `file`.
absl::Status PageError(const TiffFile& file, int64_t page, std::string_view reason, std::string_view remedy);

}  // namespace deconvoy::imageio
