// The smaller of the networks that make images isotropic, on slices that contain the axis, xz and yz, whose results are
// averaged: 9x9 to 64 channels, 5x5 to 32, 5x5 to 1, 1x1 to the outputs, max(., 0) after the first two. The slice
// itself is added to the value, so that training begins near it. How it learns from images alone:
// worker/learned/axial_degradation.h.
//
// 57283 parameters. M. Weigert et al., MICCAI (2017) 126.
#pragma once

#include <memory>

#include "worker/learned/axial_slices.h"

namespace deconvoy::worker::learned {

class IsoNet1 final : public AxialSlices {
 public:
  explicit IsoNet1(int64_t outputs);

 private:
  torch::Tensor RestoreSlices(const torch::Tensor& slices) override;

  std::shared_ptr<Convolution> wide_, middle_, narrow_, result_;
};

}  // namespace deconvoy::worker::learned
