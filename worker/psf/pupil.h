// PSFs of one microscope by the aberrations of its pupil, and how they change with these.
//
// h(c) is the PSF of worker/psf/theory/microscope.h on a given grid, of sum 1 there, with Zernike modes of the
// strengths c beside those that stay as they are. Its slope along a strength is (h(c + e) - h(c - e)) / 2e, e = 0.005
// waves.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {

// The optics that a PSF is said to come from.
struct KnownOptics {
  Microscope microscope;                // not a Gaussian
  double z_um = 0, y_um = 0, x_um = 0;  // voxel size, all known
  int threads = 1;                      // to compute PSFs with
};

// Strength of a Zernike mode.
struct PupilMode {
  int noll = 0;      // its number after Noll
  double waves = 0;  // root mean square, in wavelengths of the emission
};

// Pure functions of constant optics; threads may share one.
class PupilModel {
 public:
  // `modes` vary: numbers after Noll. The PSF lies on a box of odd extents about its centre.
  PupilModel(const KnownOptics& optics, const Shape3& box, std::vector<int> modes);

  const std::vector<int>& modes() const { return modes_; }
  // The strengths of the modes in the optics themselves.
  std::vector<double> given() const;

  // h(c) in z,y,x order. REQUIRES: a strength for each mode; together with the others at most 1 wave root mean square.
  std::vector<float> At(std::span<const double> waves) const;
  // Along mode number `mode` of `modes()`; its sum is 0.
  std::vector<float> SlopeAt(std::span<const double> waves, size_t mode) const;

 private:
  const KnownOptics optics_;
  const Shape3 box_;
  const std::vector<int> modes_;
};

}  // namespace deconvoy::worker
