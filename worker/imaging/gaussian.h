// Gaussian PSFs and the blur with them, axis by axis in a fixed order of additions: the same bits on any machine with
// the same `exp`, that is the same C library on the same kind of processor.
#pragma once

#include <span>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// A PSF that is the product of one odd, symmetric row of weights of sum 1 per axis.
struct GaussianPsf {
  std::vector<double> z, y, x;

  Shape3 shape() const {
    return {static_cast<int64_t>(z.size()), static_cast<int64_t>(y.size()), static_cast<int64_t>(x.size())};
  }
  // All its values, in z,y,x order, of sum 1.
  std::vector<float> Values() const;
};

// REQUIRES: `shape` odd, widths and voxel sizes above 0.
GaussianPsf MakeGaussianPsf(const v1::VoxelSize& fwhm_um, const v1::VoxelSize& voxel_um, const Shape3& shape);

// Blurs in place. Beyond the faces lies the other side when `periodic`, else nothing.
void Blur(const GaussianPsf& psf, const Shape3& shape, bool periodic, int threads, std::span<float> values);

}  // namespace deconvoy::worker
