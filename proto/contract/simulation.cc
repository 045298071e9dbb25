#include "proto/contract/simulation.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

absl::Status CheckPositive(double value_um, std::string_view field) {
  if (std::isfinite(value_um) && value_um > 0 && value_um <= limits::kMaximumUm) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = "Give a positive length in um along each axis, or a PSF volume."},
      fmt::format("`{}` is {}, but must be above 0 and at most {} um", field, value_um, limits::kMaximumUm));
}

absl::Status TooLarge(std::string_view message, int64_t limit) {
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = "simulate.psf_fwhm",
                    .remedy = "Give a narrower PSF or larger voxels.",
                    .metadata = {{"limit", fmt::to_string(limit)}}},
                   message);
}

absl::StatusOr<int64_t> Extent(double fwhm_um, double voxel_um, char axis) {
  RETURN_IF_ERROR(CheckPositive(fwhm_um, fmt::format("simulate.psf_fwhm.{}_um", axis)));
  RETURN_IF_ERROR(CheckPositive(voxel_um, fmt::format("simulate.voxel_size.{}_um", axis)));
  // A hair less, so that rounding never adds a voxel to a reach that is a whole number of voxels.
  const double reach = std::ceil(kGaussianReach * SigmaOfFwhm(fwhm_um) / voxel_um - 1e-9);
  if (reach > static_cast<double>(limits::kAxisVoxels / 2 - 1)) {
    return TooLarge(fmt::format("a PSF {} um wide along {} has more than {} voxels of {} um", fwhm_um, axis,
                                limits::kAxisVoxels, voxel_um),
                    limits::kAxisVoxels);
  }
  return 2 * static_cast<int64_t>(reach) + 1;
}

}  // namespace

double SigmaOfFwhm(double fwhm) {
  return fwhm / 2.3548200450309493;
}

absl::StatusOr<Shape3> GaussianPsfShape(const v1::VoxelSize& fwhm_um, const v1::VoxelSize& voxel_um) {
  ASSIGN_OR_RETURN(const int64_t z, Extent(fwhm_um.z_um(), voxel_um.z_um(), 'z'));
  ASSIGN_OR_RETURN(const int64_t y, Extent(fwhm_um.y_um(), voxel_um.y_um(), 'y'));
  ASSIGN_OR_RETURN(const int64_t x, Extent(fwhm_um.x_um(), voxel_um.x_um(), 'x'));
  // Extents are at most 2^20, so that the product stays below 2^60.
  if (z * y * x > limits::kPsfVoxels) {
    return TooLarge(fmt::format("the PSF would have {} x {} x {} voxels, more than {}", z, y, x, limits::kPsfVoxels),
                    limits::kPsfVoxels);
  }
  return Shape3{z, y, x};
}

}  // namespace deconvoy
