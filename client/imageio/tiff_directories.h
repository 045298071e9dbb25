// The chain of a TIFF's directories, walked without trusting it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "client/imageio/tiff_file.h"

namespace deconvoy::imageio {

// Offsets of all directories of the main chain, in order; at least one. Errors (INVALID_ARGUMENT): no directory, a
// directory beyond the end of the file, one without entries, a chain that leads back to itself, or one that is too
// long.
absl::StatusOr<std::vector<uint64_t>> ListDirectories(const TiffFile& file);

// Goes on from the directories known so far (none at first) in a file that may still be written: adds those that are
// there, and stops at one that is not there yet. Errors: a chain that leads back to itself, or one that is too long.
absl::Status ExtendDirectories(const TiffFile& file, std::vector<uint64_t>& offsets);

}  // namespace deconvoy::imageio
