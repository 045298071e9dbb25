// Voxel sizes that are most likely a mistake.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::server {

// A WARNING where a known voxel size is unusual for a microscope, most likely because it was given in another unit.
// `what` says whose it is (`image`), `field` where it stands.
std::optional<v1::Finding> UnusualVoxelSize(const v1::VoxelSize& size, std::string_view what, const std::string& field);

}  // namespace deconvoy::server
