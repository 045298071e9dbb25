// What ImageJ keeps in a TIFF beside the pixels: a description of `key=value` lines and labels of planes.
//
// Pages of an ImageJ hyperstack run over channels fastest, then planes, then time points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/imageio/image_file.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::imageio {

// Private tags of ImageJ: byte counts of the parts of its metadata, and the metadata.
inline constexpr uint32_t kImageJByteCountsTag = 50838;
inline constexpr uint32_t kImageJMetadataTag = 50839;

// The lines that matter here. A number the text lacks, or that is not positive, is 0.
struct ImageJDescription {
  int64_t images = 0, channels = 0, slices = 0, frames = 0;
  double spacing = 0;  // between planes, in `unit`
  std::string unit;    // empty if absent
};

// Nothing unless `text` begins as ImageJ's descriptions do.
std::optional<ImageJDescription> ParseImageJ(std::string_view text);

// The description of a stack. The unit is micron where the voxel size in the plane is known. `range` is left out of
// stacks of several channels, for all of which ImageJ would take it.
std::string FormatImageJ(const v1::VolumeSpec& spec, const std::optional<DisplayRange>& range = {});

// ImageJ's metadata holding one label per page: `bytes` for its tag, `counts` for the byte counts' tag. Little endian.
struct ImageJMetadata {
  std::vector<uint32_t> counts;
  std::vector<std::byte> bytes;
};
ImageJMetadata EncodeLabels(const std::vector<std::string>& labels);

// The labels inside ImageJ's metadata; empty where there are none or they make no sense.
std::vector<std::string> DecodeLabels(std::span<const uint32_t> counts, std::span<const std::byte> bytes,
                                      bool big_endian);

}  // namespace deconvoy::imageio
