#include "tests/reference/linear_methods.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace deconvoy::reference {
namespace {

double Radians(int64_t i, int64_t n) {
  return 2 * std::numbers::pi * static_cast<double>(i <= n / 2 ? i : i - n) / static_cast<double>(n);
}

double Square(double v) {
  return v * v;
}

// w^2 at a frequency of the domain of `of`.
double SquaredFrequency(const Spectrum& of, int64_t z, int64_t y, int64_t x) {
  return Square(Radians(z, of.nz)) + Square(Radians(y, of.ny)) + Square(Radians(x, of.nx));
}

template <typename Visit>
void ForEachFrequency(Spectrum& spectrum, const Visit& visit) {
  for (int64_t z = 0; z < spectrum.nz; ++z)
    for (int64_t y = 0; y < spectrum.ny; ++y)
      for (int64_t x = 0; x < spectrum.nx; ++x) visit(z, y, x, spectrum.at(z, y, x));
}

Volume Clipped(Volume x, double floor, double ceiling) {
  for (double& v : x.values) v = std::clamp(v, floor, ceiling);
  return x;
}

}  // namespace

Volume Inverse(const Volume& y, const Psf& psf, double background, double lambda, int power, double least) {
  Volume light = y;
  for (double& v : light.values) v -= background;
  Spectrum filter = OtfOf(psf, y.nz, y.ny, y.nx);
  ForEachFrequency(filter, [&](int64_t kz, int64_t ky, int64_t kx, std::complex<double>& h) {
    const double w = power == 0 ? 1 : std::pow(SquaredFrequency(filter, kz, ky, kx), power / 2.0);
    h = std::conj(h) / std::max(std::norm(h) + lambda * w, least);
  });
  return Filtered(light, filter);
}

Volume WienerByShell(const Volume& y, const Psf& psf, double background, const std::vector<double>& signal_to_noise) {
  Volume light = y;
  for (double& v : light.values) v -= background;
  Spectrum filter = OtfOf(psf, y.nz, y.ny, y.nx);
  const double shells = static_cast<double>(signal_to_noise.size());
  ForEachFrequency(filter, [&](int64_t kz, int64_t ky, int64_t kx, std::complex<double>& h) {
    const double w = std::sqrt(SquaredFrequency(filter, kz, ky, kx));
    const double shell = std::min(std::floor(w / (std::numbers::pi / shells)), shells - 1);
    h = std::conj(h) / (std::norm(h) + 1 / std::max(signal_to_noise[static_cast<size_t>(shell)], 1e-6));
  });
  return Filtered(light, filter);
}

Volume SquaredLaplacian(const Volume& x) {
  Spectrum powers{x.nz, x.ny, x.nx, std::vector<std::complex<double>>(x.values.size())};
  ForEachFrequency(powers, [&](int64_t kz, int64_t ky, int64_t kx, std::complex<double>& value) {
    value = Square(SquaredFrequency(powers, kz, ky, kx));
  });
  return Filtered(x, powers);
}

Volume Descend(const Volume& y, const Volume& m, const Psf& psf, const DescentOptions& options) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto step = [&](const Volume& p) {
    Volume residual = Convolve(p, psf);
    for (size_t i = 0; i < residual.values.size(); ++i) {
      residual.values[i] = m.values[i] * (y.values[i] - options.background - residual.values[i]);
    }
    Volume next = Correlate(residual, psf);
    const Volume smoothed = options.lambda > 0 ? SquaredLaplacian(p) : Volume(y.nz, y.ny, y.nx);
    for (size_t i = 0; i < next.values.size(); ++i) {
      next.values[i] = p.values[i] + options.step * (next.values[i] - options.lambda * smoothed.values[i]);
    }
    if (options.shrink) return options.shrink(next);
    return options.clip_only_last ? Clipped(next, -infinity, infinity) : Clipped(next, options.floor, options.ceiling);
  };
  Volume x = step(Volume(y.nz, y.ny, y.nx)), previous = x;
  double t = 1;
  for (int k = 0; k < options.iterations; ++k) {
    const double next_t = (1 + std::sqrt(1 + 4 * t * t)) / 2, alpha = options.nesterov ? (t - 1) / next_t : 0;
    Volume p = x;
    for (size_t i = 0; i < p.values.size(); ++i) p.values[i] += alpha * (x.values[i] - previous.values[i]);
    previous = x;
    x = step(p);
    t = next_t;
  }
  return Clipped(x, options.floor, options.ceiling);
}

Volume VanCittert(const Volume& y, const Psf& psf, double background, double step, int iterations) {
  Volume x = y;
  for (double& v : x.values) v -= background;
  const Volume light = x;
  for (int k = 0; k < iterations; ++k) {
    const Volume blurred = Convolve(x, psf);
    for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += step * (light.values[i] - blurred.values[i]);
  }
  return x;
}

}  // namespace deconvoy::reference
