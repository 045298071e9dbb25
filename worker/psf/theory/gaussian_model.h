// A PSF as a Gaussian of the widths that optics give.
//
// Full widths at half maximum, n the immersion's index, c = n - sqrt(n^2 - NA^2), P the pinhole's diameter in the
// specimen; products of Gaussians add 1 / width^2, blurs add width^2 (a disc of diameter D adds ln 2 D^2 / 2):
//
//   light of a wavelength     0.5145 wavelength / NA across,  0.886 wavelength / c along the axis
//   seen through a pinhole    + ln 2 P^2 / 2 across,  + 2 (n P / NA)^2 along, each under the root
//   confocal                  product of illumination and emission through the pinhole
//   spinning disk             product of emission and illumination through the pinhole twice
//   two-photon                the illumination's over sqrt(2)
//   light sheet               along: product of emission and sheet
//   sted                      the confocal's, across over sqrt(1 + saturation)
//
// The first row is that of an Airy disc and of a point at low aperture; the blur along the axis is geometrical.
#pragma once

#include <vector>

#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {

// In um, full widths at half maximum.
struct GaussianWidths {
  double across = 0, along = 0;
};

// Those that are given, else those above.
GaussianWidths WidthsOf(const Microscope& microscope);

// The mean of each voxel's area in its plane, at the middle of its height; of no certain sum.
std::vector<float> MakeGaussian(const GaussianWidths& widths, const PsfGrid& grid);

}  // namespace deconvoy::worker
