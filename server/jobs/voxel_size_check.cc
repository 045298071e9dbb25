#include "server/jobs/voxel_size_check.h"

#include <fmt/format.h>

#include "proto/contract/limits.h"

namespace deconvoy::server {

std::optional<v1::Finding> UnusualVoxelSize(const v1::VoxelSize& size, std::string_view what,
                                            const std::string& field) {
  const auto odd = [](double um) {
    return um > 0 && (um < limits::kLeastUsualVoxelUm || um > limits::kMostUsualVoxelUm);
  };
  if (!odd(size.z_um()) && !odd(size.y_um()) && !odd(size.x_um())) return std::nullopt;
  v1::Finding finding;
  finding.set_severity(v1::WARNING);
  finding.set_message(
      fmt::format("the {} has voxels of {:.6g} x {:.6g} x {:.6g} um (z,y,x): outside {} to {} um, which is unusual for "
                  "a microscope",
                  what, size.z_um(), size.y_um(), size.x_um(), limits::kLeastUsualVoxelUm, limits::kMostUsualVoxelUm));
  v1::ErrorInfo& info = *finding.mutable_info();
  info.set_reason(v1::INVALID_FIELD);
  info.set_field(field);
  info.set_remedy("Check whether the size is in another unit, such as nm, and give it in um.");
  return finding;
}

}  // namespace deconvoy::server
