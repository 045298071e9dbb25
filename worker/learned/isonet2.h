// The larger of the networks that make images isotropic, on slices that contain the axis, xz and yz, whose results are
// averaged: 7x7 to 16 channels, halved, 7x7 to 32, halved, 7x7 to 64, doubled, 7x7 to 32, doubled, 7x7 to 16, 1x1 to
// the outputs. max(., 0) after all but the last; halved by the maximum of 2x2, doubled by repetition. The slice itself
// is added to the value, since what is halved twice has lost its detail. How it learns from images alone:
// worker/learned/axial_degradation.h.
//
// 251841 parameters. M. Weigert et al., MICCAI (2017) 126.
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/axial_slices.h"

namespace deconvoy::worker::learned {

class IsoNet2 final : public AxialSlices {
 public:
  explicit IsoNet2(int64_t outputs);

 private:
  torch::Tensor RestoreSlices(const torch::Tensor& slices) override;

  std::vector<std::shared_ptr<Convolution>> layers_;
  std::shared_ptr<Convolution> result_;
};

}  // namespace deconvoy::worker::learned
