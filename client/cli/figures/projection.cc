#include "client/cli/figures/projection.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "client/cli/figures/planes.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

std::string Title(const v1::VolumeSpec& spec, int64_t c, std::string_view axes) {
  std::string channel;
  if (spec.shape().c() > 1) channel = fmt::format(" channel {}", c);
  if (c < spec.channels_size() && !spec.channels(static_cast<int>(c)).name().empty()) {
    channel += fmt::format(" {}", spec.channels(static_cast<int>(c)).name());
  }
  return fmt::format("{}{} {}", spec.display_name(), channel, axes);
}

Panel EmptyPanel(std::string title, int64_t width, int64_t height, double width_um, double height_um) {
  Panel panel{.title = std::move(title),
              .width = width,
              .height = height,
              .pixels = {},
              .pixel_width_um = width_um,
              .pixel_height_um = height_um};
  panel.pixels.assign(static_cast<size_t>(width * height), std::numeric_limits<float>::lowest());
  return panel;
}

}  // namespace

absl::StatusOr<Projections> ProjectMaximum(imageio::ImageReader& image, int64_t t, int64_t c) {
  const v1::VolumeSpec& spec = image.spec();
  const v1::VoxelSize& size = spec.voxel_size();
  const Shape5 shape = ShapeOf(image);
  Projections result;
  result.xy = EmptyPanel(Title(spec, c, "xy"), shape.x, shape.y, size.x_um(), size.y_um());
  if (shape.z > 1) result.xz = EmptyPanel(Title(spec, c, "xz"), shape.x, shape.z, size.x_um(), size.z_um());
  PlaneReader planes(image);
  for (int64_t z = 0; z < shape.z; ++z) {
    ASSIGN_OR_RETURN(const std::vector<double>* plane, planes.Read(t, c, z));
    for (size_t i = 0; i < plane->size(); ++i) {
      const auto value = static_cast<float>((*plane)[i]);
      result.xy.pixels[i] = std::max(result.xy.pixels[i], value);
      if (shape.z == 1) continue;
      float& below = result.xz.pixels[static_cast<size_t>(z * shape.x + static_cast<int64_t>(i) % shape.x)];
      below = std::max(below, value);
    }
  }
  return result;
}

absl::StatusOr<std::vector<std::vector<Panel>>> ProjectStacks(std::span<imageio::ImageReader* const> images) {
  int64_t channels = 0;
  for (const imageio::ImageReader* image : images) channels = std::max(channels, ShapeOf(*image).c);
  std::vector<std::vector<Panel>> rows;
  for (int64_t c = 0; c < channels; ++c) {
    std::vector<Panel> xy, xz;
    bool deep = false;
    for (imageio::ImageReader* image : images) {
      Projections panels;
      if (c < ShapeOf(*image).c) {
        ASSIGN_OR_RETURN(panels, ProjectMaximum(*image, 0, c));
      }
      deep = deep || !panels.xz.pixels.empty();
      xy.push_back(std::move(panels.xy));
      xz.push_back(std::move(panels.xz));
    }
    rows.push_back(std::move(xy));
    if (deep) rows.push_back(std::move(xz));
  }
  return rows;
}

}  // namespace deconvoy::client
