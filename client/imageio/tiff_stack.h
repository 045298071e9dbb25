// What the pages of a TIFF are: which plane of which channel and time point, how large, and how it is known.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "client/imageio/acquisition.h"
#include "client/imageio/tiff_file.h"
#include "client/imageio/tiff_page.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::imageio {

// A file as its metadata explain it.
struct Stack {
  static constexpr int64_t kManyDirectories = -1;

  std::string format;  // `OME-TIFF`, `ImageJ TIFF` or `TIFF`
  Shape5 shape;
  v1::VoxelSize voxel_size;
  std::vector<v1::Channel> channels;         // empty, or one per channel
  std::vector<int64_t> page_of_plane;        // in t,c,z order
  int64_t contiguous_at = kManyDirectories;  // byte of the first plane, where one directory serves all planes
  std::vector<std::string> notes;            // sentences for the user
  Acquisition acquisition;
};

// Reads all directories, given by their `offsets`, of which `first` is the first. Where ImageJ's numbers contradict the
// pages, they are planes along z, with a note; OME metadata that contradict them are refused, as are pages that differ.
absl::StatusOr<Stack> InterpretStack(TiffFile& file, const std::vector<uint64_t>& offsets, const PageInfo& first);

}  // namespace deconvoy::imageio
