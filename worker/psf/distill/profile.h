// What is told of a PSF besides its values: Gaussians fitted to its profiles, and its symmetry.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// height exp(-(i - centre)^2 / (2 sigma^2)) + offset over a line's voxels i.
struct GaussianFit {
  double height = 0;
  double centre = 0;
  double sigma = 0;
  double offset = 0;
  double residual = 0;  // root mean square of what it leaves, over the height

  double fwhm() const;
};

// Least squares, begun at the line's greatest value, over the voxels within one and a half widths of it, and at least
// five. `width`: about the full width at half maximum in voxels, above 0. A line of fewer than five voxels gives sigma
// 0, as does one that nothing like a Gaussian fits.
GaussianFit FitGaussian(std::span<const double> line, double width);

// Of the lines through the greatest value along z, y and x. `widths` as above.
std::array<GaussianFit, 3> FitProfiles(std::span<const float> psf, const Shape3& shape,
                                       const std::array<double, 3>& widths);

// Correlation of a PSF with its mirror image along z, y and x about its middle. REQUIRES: odd extents.
std::array<double, 3> MirrorCorrelations(std::span<const float> psf, const Shape3& shape);

}  // namespace deconvoy::worker
