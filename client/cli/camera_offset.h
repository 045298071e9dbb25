// The camera's offset, as far as an image's file tells.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "client/imageio/acquisition.h"

namespace deconvoy::client {

struct FileOffset {
  double value = 0;
  // Whether it is one of counts: that of a camera. Offsets of photomultipliers are in units of their maker's own.
  bool counts = false;
};

// The offset of all detectors of an image of so many channels; none where the file does not tell one, above 0, of each
// channel, or they differ.
std::optional<FileOffset> OffsetOf(const imageio::Acquisition& acquisition, int64_t channels);

}  // namespace deconvoy::client
