// The OME-XML of an OME-TIFF (schema 2016-06; older ones are close enough to be read).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "client/imageio/acquisition.h"
#include "client/imageio/tiff_page.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::imageio {

// One stack as OME-XML describes it.
struct OmeStack {
  Shape5 shape;
  v1::VoxelSize voxel_size;
  std::vector<v1::Channel> channels;   // empty, or one per channel
  std::vector<int64_t> page_of_plane;  // page of each plane in t,c,z order
  std::vector<std::string> notes;
  Acquisition acquisition;
};

// Whether a description looks like OME-XML.
bool IsOme(std::string_view description);

// Reads the first image of `xml`, which was found in the file `path` of `pages` pages like `page`. Errors
// (INVALID_ARGUMENT): malformed XML, sizes or type other than the pages', more planes than pages, planes without a
// page, planes that lie in another file (named).
absl::StatusOr<OmeStack> ParseOme(std::string_view xml, const std::filesystem::path& path, int64_t pages,
                                  const PageInfo& page);

// OME-XML of a stack whose pages run in t,c,z order.
std::string FormatOme(const v1::VolumeSpec& spec);

}  // namespace deconvoy::imageio
