// The true H as a differentiable operation, for networks and losses that know the PSF.
#pragma once

#include <torch/types.h>

namespace deconvoy::worker::learned {

// Of one PSF for boxes of one extent. Beyond the faces a box counts as empty.
class Blur {
 public:
  // `psf` [z, y, x] of odd extents with the origin in the middle, of sum 1; `like` [n, 1, z, y, x] has the boxes'
  // extents and device.
  Blur(const torch::Tensor& psf, const torch::Tensor& like);

  torch::Tensor Apply(const torch::Tensor& x) const;    // H x
  torch::Tensor Adjoint(const torch::Tensor& x) const;  // H* x
  // (H*H + weight)^-1 x on the padded domain.
  torch::Tensor Invert(const torch::Tensor& x, const torch::Tensor& weight) const;

 private:
  torch::Tensor Through(const torch::Tensor& x, const torch::Tensor& factor) const;

  std::vector<int64_t> extents_, domain_;
  torch::Tensor otf_, power_;
};

}  // namespace deconvoy::worker::learned
