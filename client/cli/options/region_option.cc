#include "client/cli/options/region_option.h"

#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr char kName[] = "--region";

// Empty text leaves the bound open. Whether the text is a bound.
bool ParseBound(const std::string& text, std::optional<int64_t>& bound) {
  if (text.empty()) return true;
  int64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc() || rest != last || value < 0 || value > std::numeric_limits<int32_t>::max()) return false;
  bound = value;
  return true;
}

bool ParseRange(const std::string& text, AxisRange& range) {
  if (text.empty()) return true;
  const std::vector<std::string> bounds = absl::StrSplit(text, ':');
  return bounds.size() == 2 && ParseBound(bounds[0], range.begin) && ParseBound(bounds[1], range.end);
}

}  // namespace

absl::StatusOr<RegionOption> ParseRegion(std::string_view text) {
  const std::vector<std::string> axes = absl::StrSplit(std::string(text), ',');
  RegionOption region;
  if (axes.size() == 3 && ParseRange(axes[0], region.z) && ParseRange(axes[1], region.y) &&
      ParseRange(axes[2], region.x)) {
    return region;
  }
  return UsageError(
      fmt::format("'{}' is not Z0:Z1,Y0:Y1,X0:X1, three ranges of voxels, for instance 0:16,100:300,: "
                  "for the first 16 planes of rows 100 to 299",
                  Printable(std::string(text))));
}

void AddRegionOption(CLI::App& verb, std::optional<RegionOption>& target) {
  verb.add_option_function<std::string>(
          kName,
          [&target](const std::string& text) {
            const auto region = ParseRegion(text);
            if (!region.ok()) throw CLI::ValidationError(kName, std::string(region.status().message()));
            target = *region;
          },
          "Compute only these planes, rows and columns of INPUT, as Z0:Z1,Y0:Y1,X0:X1, counted from 0, each range "
          "without its end; a bound that is left out is the axis's. Around it INPUT is looked at all the same")
      ->type_name("RANGES");
}

absl::Status SetRegion(const std::optional<RegionOption>& region, const v1::VolumeSpec& image,
                       v1::DeconvolveSpec& spec) {
  if (!region) return absl::OkStatus();
  const v1::Shape5& shape = image.shape();
  struct Axis {
    const char* what;
    const AxisRange& range;
    int64_t extent;
  };
  const std::array<Axis, 3> axes{Axis{"planes", region->z, shape.z()}, Axis{"rows", region->y, shape.y()},
                                 Axis{"columns", region->x, shape.x()}};
  std::array<int64_t, 3> begins{}, extents{};
  for (size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    const int64_t begin = axis.range.begin.value_or(0), end = axis.range.end.value_or(axis.extent);
    if (begin >= end || end > axis.extent) {
      return UsageError(
          fmt::format("--region asks for {} {}:{}, but the image has {} of them", axis.what, begin, end, axis.extent),
          fmt::format("Give a range inside 0:{}, whose end is above its beginning.", axis.extent));
    }
    begins[i] = begin;
    extents[i] = end - begin;
  }
  *spec.mutable_region_origin() = ToProto(Voxel{begins[0], begins[1], begins[2]});
  *spec.mutable_region_shape() = ToProto(Shape3{extents[0], extents[1], extents[2]});
  return absl::OkStatus();
}

}  // namespace deconvoy::client
