// Structural similarity of two planes.
#pragma once

#include <cstdint>
#include <vector>

namespace deconvoy::client {

// Mean over all pixels of the SSIM index of Z. Wang et al., IEEE Trans. Image Process. 13 (2004) 600:
//   (2 ma mb + C1)(2 sab + C2) / ((ma^2 + mb^2 + C1)(saa + sbb + C2)),  C1 = (0.01 range)^2, C2 = (0.03 range)^2,
// with means, variances and covariance under a Gaussian window of sigma 1.5 pixels, 11 x 11, cut at the border where
// its weights are normalised again. Where the denominator is 0 the index is 1. REQUIRES: both planes have a multiple of
// `width` pixels, equally many, at least one row.
double Ssim(const std::vector<double>& a, const std::vector<double>& b, int64_t width, double range);

}  // namespace deconvoy::client
