// Maximum projections of stacks, as panels of a picture.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "client/cli/figures/picture.h"
#include "client/imageio/image_file.h"

namespace deconvoy::client {

// Seen along z (an xy panel) and, if there is more than one plane, along y (an xz panel).
struct Projections {
  Panel xy;
  Panel xz;  // no pixels for a single plane
};

// Projects one frame, reading plane by plane. Titles name the stack and the axes, and the channel where there are
// several. Errors: NaN or infinity in the frame; whatever reading gives.
absl::StatusOr<Projections> ProjectMaximum(imageio::ImageReader& image, int64_t t, int64_t c);

// Rows of a picture that shows time point 0 of several stacks side by side: for every channel the xy panels, and below
// them the xz panels.
absl::StatusOr<std::vector<std::vector<Panel>>> ProjectStacks(std::span<imageio::ImageReader* const> images);

}  // namespace deconvoy::client
