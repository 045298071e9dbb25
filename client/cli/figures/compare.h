// The figures of `deconvoy compare`: how far a stack A lies from a reference B. Nothing is ever rescaled, shifted or
// clipped.
#pragma once

#include <absl/status/statusor.h>

#include "client/imageio/image_file.h"

namespace deconvoy::client {

// Sums run over all voxels of all channels and time points, in double precision; N is their number.
// A figure that has no meaning (division by zero) is NaN.
struct ComparisonFigures {
  double nrmse = 0;        // sqrt(sum (a-b)^2 / N) / (max b - min b)
  double relative_l2 = 0;  // sqrt(sum (a-b)^2 / sum b^2)
  // 20 log10((max b - min b) / sqrt(sum (a-b)^2 / N)) in dB; infinite for equal stacks.
  double psnr = 0;
  // Structural similarity of Wang et al. 2004 of every plane, averaged over planes: Gaussian window of sigma 1.5 cut at
  // 5 pixels and at the border (weights then sum to 1 again), K1 = 0.01, K2 = 0.03, range = max b - min b of the stack.
  double ssim = 0;
  double ncc = 0;         // Pearson's correlation coefficient
  double max_abs = 0;     // max |a - b|
  double flux_ratio = 0;  // sum a / sum b
};

// Reads both stacks twice, plane by plane; memory for a few planes is taken. Errors: INVALID_ARGUMENT when the shapes
// differ (both are said) or a voxel is NaN or infinite (the first is named); whatever reading gives.
absl::StatusOr<ComparisonFigures> Compare(imageio::ImageReader& a, imageio::ImageReader& b);

}  // namespace deconvoy::client
