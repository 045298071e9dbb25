// Which part of every frame is computed: the option --region.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// From `begin` to before `end`, in voxels; what is left open is where the axis begins or ends.
struct AxisRange {
  std::optional<int64_t> begin, end;
};

struct RegionOption {
  AxisRange z, y, x;
};

// "Z0:Z1,Y0:Y1,X0:X1" of whole numbers, each of which may be left out; an axis of which nothing is said is whole. The
// error says what was given and what is expected.
absl::StatusOr<RegionOption> ParseRegion(std::string_view text);

void AddRegionOption(CLI::App& verb, std::optional<RegionOption>& target);

// Brings the region, if one is given, into `spec`. A usage error where it does not lie inside `image`.
absl::Status SetRegion(const std::optional<RegionOption>& region, const v1::VolumeSpec& image,
                       v1::DeconvolveSpec& spec);

}  // namespace deconvoy::client
