#include "tests/reference/back_projectors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>

namespace deconvoy::reference {
namespace {

using Complex = std::complex<double>;

int64_t Modulo(int64_t i, int64_t n) {
  return ((i % n) + n) % n;
}

// Sums along the axis on which neighbours are `stride` apart, for all lines of the array.
void SumAlong(int64_t n, int64_t stride, double sign, std::vector<Complex>& values) {
  std::vector<Complex> roots(static_cast<size_t>(n)), line(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    roots[static_cast<size_t>(i)] =
        std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n));
  }
  for (int64_t start = 0; start < static_cast<int64_t>(values.size()); ++start) {
    if (start / stride % n != 0) continue;
    for (int64_t k = 0; k < n; ++k) {
      Complex sum = 0;
      for (int64_t j = 0; j < n; ++j) {
        sum += values[static_cast<size_t>(start + j * stride)] * roots[static_cast<size_t>(j * k % n)];
      }
      line[static_cast<size_t>(k)] = sum;
    }
    for (int64_t k = 0; k < n; ++k) values[static_cast<size_t>(start + k * stride)] = line[static_cast<size_t>(k)];
  }
}

void SumAlongAll(double sign, Spectrum& spectrum) {
  SumAlong(spectrum.nx, 1, sign, spectrum.values);
  SumAlong(spectrum.ny, spectrum.nx, sign, spectrum.values);
  SumAlong(spectrum.nz, spectrum.nx * spectrum.ny, sign, spectrum.values);
}

// |h^| at one frequency, in cycles per voxel.
double MagnitudeAt(const Volume& h, double kz, double ky, double kx) {
  Complex sum = 0;
  for (int64_t z = 0; z < h.nz; ++z)
    for (int64_t y = 0; y < h.ny; ++y)
      for (int64_t x = 0; x < h.nx; ++x) {
        const double cycles = kz * static_cast<double>(z) + ky * static_cast<double>(y) + kx * static_cast<double>(x);
        sum += h.at(z, y, x) * std::polar(1.0, -2 * std::numbers::pi * cycles);
      }
  return std::abs(sum);
}

double WidthOf(const std::vector<double>& line, size_t peak) {
  std::vector<double> padded(line.size() + 2, 0.0);
  std::copy(line.begin(), line.end(), padded.begin() + 1);
  const double half = line[peak] / 2;
  size_t right = peak + 1, left = peak + 1;  // the last voxel of at least half on each side
  while (padded[right + 1] >= half) ++right;
  while (padded[left - 1] >= half) --left;
  const double beyond_right = (padded[right] - half) / (padded[right] - padded[right + 1]);
  const double beyond_left = (padded[left] - half) / (padded[left] - padded[left - 1]);
  return static_cast<double>(right - left) + beyond_right + beyond_left;
}

int64_t Signed(int64_t i, int64_t n) {
  return i < n - i ? i : i - n;
}

// The frequencies of a mask over the whole spectrum, asked for by indices of any sign.
class Mask {
 public:
  Mask(const Spectrum& otf, double least) : otf_(otf) {
    for (const Complex& v : otf.values) inside_.push_back(std::abs(v) >= least);
  }

  bool Raw(int64_t z, int64_t y, int64_t x) const {
    return inside_[static_cast<size_t>((Modulo(z, otf_.nz) * otf_.ny + Modulo(y, otf_.ny)) * otf_.nx +
                                       Modulo(x, otf_.nx))];
  }
  bool Smooth(int64_t z, int64_t y, int64_t x) const {
    int count = 0;
    for (int64_t a = -1; a <= 1; ++a)
      for (int64_t b = -1; b <= 1; ++b)
        for (int64_t c = -1; c <= 1; ++c) count += Raw(z + a, y + b, x + c) ? 1 : 0;
    return 2 * count > 27;
  }
  bool Star(int64_t z, int64_t y, int64_t x) const {
    for (int64_t n = std::max({std::abs(z), std::abs(y), std::abs(x)}); n > 0;
         n = std::max({std::abs(z), std::abs(y), std::abs(x)})) {
      if (!Smooth(z, y, x)) return false;
      const auto nearer = [n](int64_t k) {
        return static_cast<int64_t>(std::llround(static_cast<double>(k * (n - 1)) / static_cast<double>(n)));
      };
      z = nearer(z);
      y = nearer(y);
      x = nearer(x);
    }
    return true;
  }
  double Window(int64_t z, int64_t y, int64_t x) const {
    if (!Star(z, y, x)) return 0;
    for (int64_t s = 65; s <= 80; ++s) {
      const auto scaled = [s](int64_t k) {
        return static_cast<int64_t>(std::llround(static_cast<double>(k * s) / 64));
      };
      const int64_t a = scaled(z), b = scaled(y), c = scaled(x);
      if (2 * std::abs(a) > otf_.nz || 2 * std::abs(b) > otf_.ny || 2 * std::abs(c) > otf_.nx) continue;
      if (Star(Signed(Modulo(a, otf_.nz), otf_.nz), Signed(Modulo(b, otf_.ny), otf_.ny), c)) continue;
      return std::pow(std::cos(std::numbers::pi / 2 * (64.0 / static_cast<double>(s) - 0.8) / 0.2), 2);
    }
    return 1;
  }

 private:
  const Spectrum& otf_;
  std::vector<bool> inside_;
};

// The value at which the largest magnitudes of the half spectrum reach 0.9 of its sum.
double ThresholdOf(const Spectrum& otf) {
  std::vector<double> magnitudes;
  double sum = 0;
  for (int64_t z = 0; z < otf.nz; ++z)
    for (int64_t y = 0; y < otf.ny; ++y)
      for (int64_t x = 0; x <= otf.nx / 2; ++x) {
        magnitudes.push_back(std::abs(otf.at(z, y, x)));
        sum += magnitudes.back();
      }
  std::sort(magnitudes.rbegin(), magnitudes.rend());
  double cumulated = 0;
  for (const double v : magnitudes) {
    cumulated += v;
    if (cumulated >= 0.9 * sum) return std::max(v, 2.5e-3 * std::abs(otf.values[0]));
  }
  return magnitudes.back();
}

}  // namespace

Spectrum Transform(const Volume& volume) {
  Spectrum spectrum{volume.nz, volume.ny, volume.nx, {volume.values.begin(), volume.values.end()}};
  SumAlongAll(-1, spectrum);
  return spectrum;
}

Volume Filtered(const Volume& x, const Spectrum& filter) {
  Spectrum spectrum = Transform(x);
  for (size_t i = 0; i < spectrum.values.size(); ++i) spectrum.values[i] *= filter.values[i];
  SumAlongAll(1, spectrum);
  Volume out(x.nz, x.ny, x.nx);
  for (size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] = spectrum.values[i].real() / static_cast<double>(out.size());
  }
  return out;
}

Spectrum OtfOf(const Psf& psf, int64_t nz, int64_t ny, int64_t nx) {
  Volume wrapped(nz, ny, nx);
  for (int64_t z = 0; z < psf.h.nz; ++z)
    for (int64_t y = 0; y < psf.h.ny; ++y)
      for (int64_t x = 0; x < psf.h.nx; ++x)
        wrapped.at(Modulo(z - psf.cz, nz), Modulo(y - psf.cy, ny), Modulo(x - psf.cx, nx)) += psf.h.at(z, y, x);
  return Transform(wrapped);
}

std::array<double, 3> WidthsOf(const Volume& psf) {
  const auto peak = static_cast<int64_t>(std::max_element(psf.values.begin(), psf.values.end()) - psf.values.begin());
  const int64_t pz = peak / (psf.ny * psf.nx), py = peak / psf.nx % psf.ny, px = peak % psf.nx;
  std::vector<double> z, y, x;
  for (int64_t i = 0; i < psf.nz; ++i) z.push_back(psf.at(i, py, px));
  for (int64_t i = 0; i < psf.ny; ++i) y.push_back(psf.at(pz, i, px));
  for (int64_t i = 0; i < psf.nx; ++i) x.push_back(psf.at(pz, py, i));
  return {WidthOf(z, static_cast<size_t>(pz)), WidthOf(y, static_cast<size_t>(py)),
          WidthOf(x, static_cast<size_t>(px))};
}

Spectrum Wiener(const Spectrum& otf, const Spectrum* gain, double alpha) {
  Spectrum filter = otf;
  for (size_t i = 0; i < filter.values.size(); ++i) {
    const Complex g = gain != nullptr ? gain->values[i] : 1;
    filter.values[i] = g * std::conj(otf.values[i]) / (std::norm(otf.values[i]) + alpha);
  }
  const double at_zero = filter.values[0].real();
  for (Complex& v : filter.values) v /= at_zero;
  return filter;
}

Spectrum WienerButterworth(const Psf& psf, const Spectrum& otf, double alpha, int order, bool published) {
  const std::array<double, 3> width = WidthsOf(psf.h);
  double sum = 0, axes = 0;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (width[axis] <= 2) continue;
    const double k = 1 / width[axis];
    sum += MagnitudeAt(psf.h, axis == 0 ? k : 0, axis == 1 ? k : 0, axis == 2 ? k : 0);
    axes += 1;
  }
  const double b = axes > 0 ? std::max(sum / axes, 1e-6) : 1;
  const double wiener = b / (b * b + alpha);
  double epsilon = published ? wiener / (b * b) - 1 : std::pow(wiener / b, 2) - 1;
  if (axes == 0) epsilon = 0;
  Spectrum gain = otf;
  for (int64_t z = 0; z < otf.nz; ++z)
    for (int64_t y = 0; y < otf.ny; ++y)
      for (int64_t x = 0; x < otf.nx; ++x) {
        const auto part = [](int64_t i, int64_t n, double fwhm) {
          return std::pow(static_cast<double>(Signed(i, n)) / static_cast<double>(n) * fwhm, 2);
        };
        const double w = part(z, otf.nz, width[0]) + part(y, otf.ny, width[1]) + part(x, otf.nx, width[2]);
        gain.at(z, y, x) = 1 / std::sqrt(1 + epsilon * std::pow(w, order));
      }
  return Wiener(otf, &gain, alpha);
}

Spectrum OtfMaskedWiener(const Spectrum& otf, double alpha) {
  const Mask mask(otf, ThresholdOf(otf) * (1 - 1e-5));
  Spectrum gain = otf;
  for (int64_t z = 0; z < otf.nz; ++z)
    for (int64_t y = 0; y < otf.ny; ++y)
      for (int64_t x = 0; x <= otf.nx / 2; ++x) gain.at(z, y, x) = mask.Window(Signed(z, otf.nz), Signed(y, otf.ny), x);
  const Spectrum half = gain;
  for (int64_t z = 0; z < otf.nz; ++z)
    for (int64_t y = 0; y < otf.ny; ++y)
      for (int64_t x = 0; x < otf.nx; ++x) {
        const int64_t nz = Modulo(-z, otf.nz), ny = Modulo(-y, otf.ny), nx = Modulo(-x, otf.nx);
        const bool here = x <= otf.nx / 2, there = nx <= otf.nx / 2;
        const double a = half.at(z, y, x).real(), b = half.at(nz, ny, nx).real();
        gain.at(z, y, x) = here && there ? std::min(a, b) : here ? a : b;
      }
  return Wiener(otf, &gain, alpha);
}

Volume WienerStart(const Volume& f, const Spectrum& otf, double mean, double variance, double background) {
  const double signal = variance - mean;
  const double ratio = signal > 0 ? std::clamp(mean / signal, 1e-4, 1.0) : 1;
  Volume deviation = f;
  for (double& v : deviation.values) v -= mean;
  Volume out = Filtered(deviation, Wiener(otf, nullptr, ratio));
  for (double& v : out.values) v = std::max(mean - background + v, mean / 100);
  return out;
}

}  // namespace deconvoy::reference
