// Networks in two dimensions on the slices that contain the axis.
#pragma once

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class AxialSlices : public Network {
 public:
  // The mean of what RestoreSlices makes of all xz slices and of all yz slices.
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) final;
  torch::Tensor RestoreXz(const torch::Tensor& u, const torch::Tensor& noise) final;

 protected:
  // From [n, 1, z, x or y] to [n, outputs, z, x or y].
  virtual torch::Tensor RestoreSlices(const torch::Tensor& slices) = 0;

 private:
  // Stacks [n, k, z, w] of k slices to [n, k, outputs, z, w].
  torch::Tensor Through(const torch::Tensor& stacks);
};

}  // namespace deconvoy::worker::learned
