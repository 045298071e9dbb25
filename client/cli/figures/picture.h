// A grey PNG that shows small images side by side, for people to look at.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace deconvoy::client {

// The values that are shown black and white.
struct Contrast {
  float black = 0, white = 1;
};

// One image of a picture. Its caption says the contrast. Values that are not finite are black. A panel without pixels
// leaves its place empty.
struct Panel {
  std::string title;
  int64_t width = 0, height = 0;
  std::vector<float> pixels;                       // rows from the top; width * height values
  double pixel_width_um = 0, pixel_height_um = 0;  // 0 if unknown: then as large as the other, without a scale bar
  std::optional<Contrast> contrast = {};           // ContrastOf(panel) where not given
};

// From the smallest value of a panel to the 99.8th percentile of its values, or to the largest where those are equal.
Contrast ContrastOf(const Panel& panel);

// Writes `rows` of panels to `path`, replacing it at once when complete. All panels share one scale, so that pixels
// that are not square are stretched. Errors: those of imageio::CheckPlace; INVALID_ARGUMENT for a picture without
// pixels or with more pixels than a picture is good for.
absl::Status WritePicture(const std::filesystem::path& path, const std::vector<std::vector<Panel>>& rows);

}  // namespace deconvoy::client
