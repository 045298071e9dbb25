#include "client/cli/camera_offset.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace deconvoy::client {
namespace {

// Of OME's types of detectors.
constexpr std::array<std::string_view, 5> kCameras = {"CCD", "IntensifiedCCD", "EMCCD", "EBCCD", "CMOS"};

}  // namespace

std::optional<FileOffset> OffsetOf(const imageio::Acquisition& acquisition, int64_t channels) {
  const auto& told = acquisition.channels;
  if (told.empty() || static_cast<int64_t>(told.size()) != channels || told[0].detector_offset <= 0) {
    return std::nullopt;
  }
  FileOffset offset{.value = told[0].detector_offset, .counts = true};
  for (const imageio::ChannelAcquisition& channel : told) {
    if (channel.detector_offset != offset.value) return std::nullopt;
    offset.counts = offset.counts && std::find(kCameras.begin(), kCameras.end(), channel.detector) != kCameras.end();
  }
  return offset;
}

}  // namespace deconvoy::client
