// Whole stacks in memory, and figures that tests compare by. Nothing is ever rescaled, but where the name says so.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::testing {

struct Image {
  v1::VolumeSpec spec;
  std::vector<double> voxels;  // t,c,z,y,x

  Shape5 shape() const;
  double at(int64_t c, int64_t z, int64_t y, int64_t x) const;  // time point 0
};

absl::StatusOr<Image> LoadImage(const std::filesystem::path& path);

// Writes `voxels` (converted to spec's type) as a stack.
absl::Status SaveImage(const std::filesystem::path& path, const v1::VolumeSpec& spec,
                       const std::vector<double>& voxels);

// A spec with the given shape and type; voxel size 0.2, 0.1, 0.1 um.
v1::VolumeSpec MakeSpec(const Shape5& shape, v1::VoxelType type);

// A Gaussian PSF of odd extents with sum 1, and its file.
std::vector<double> GaussianPsf(const Shape3& shape, double sigma_z, double sigma_y, double sigma_x);

double RelativeL2(const std::vector<double>& a, const std::vector<double>& reference);
double NrmseOfRange(const std::vector<double>& a, const std::vector<double>& reference);
double MaxAbs(const std::vector<double>& a, const std::vector<double>& reference);
double Correlation(const std::vector<double>& a, const std::vector<double>& b);
// ||s a - b|| / ||b|| with the scale s that makes it least.
double ScaleFreeNrmse(const std::vector<double>& a, const std::vector<double>& reference);
double Sum(const std::vector<double>& a);

}  // namespace deconvoy::testing
