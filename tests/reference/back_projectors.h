// The back projectors and the Wiener filter of docs/methods/rl.md in double precision, over direct Fourier sums.
#pragma once

#include <array>
#include <complex>
#include <functional>
#include <vector>

#include "tests/reference/reference.h"

namespace deconvoy::reference {

// What a filter does to each frequency of a domain: all of them, in z,y,x order of kz, ky, kx in [0, n).
struct Spectrum {
  int64_t nz = 0, ny = 0, nx = 0;
  std::vector<std::complex<double>> values;
  std::complex<double>& at(int64_t z, int64_t y, int64_t x) {
    return values[static_cast<size_t>((z * ny + y) * nx + x)];
  }
  const std::complex<double>& at(int64_t z, int64_t y, int64_t x) const {
    return values[static_cast<size_t>((z * ny + y) * nx + x)];
  }
};

Spectrum Transform(const Volume& volume);
// The real part of the inverse transform of filter times the transform of x.
Volume Filtered(const Volume& x, const Spectrum& filter);

// h^ on a domain.
Spectrum OtfOf(const Psf& psf, int64_t nz, int64_t ny, int64_t nx);

// Full width at half maximum through the maximum along z, y, x, linear between voxels, 0 outside the box.
std::array<double, 3> WidthsOf(const Volume& psf);

// s conj h^ g / (|h^|^2 + alpha), 1 at zero frequency.
Spectrum Wiener(const Spectrum& otf, const Spectrum* gain, double alpha);
Spectrum WienerButterworth(const Psf& psf, const Spectrum& otf, double alpha, int order, bool published);
Spectrum OtfMaskedWiener(const Spectrum& otf, double alpha);

// max(mean - background + W (f - mean), mean / 100), f being y with the mean outside the measured voxels.
Volume WienerStart(const Volume& f, const Spectrum& otf, double mean, double variance, double background);

}  // namespace deconvoy::reference
