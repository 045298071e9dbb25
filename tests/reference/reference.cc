#include "tests/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace deconvoy::reference {
namespace {

int64_t Modulo(int64_t i, int64_t n) {
  return ((i % n) + n) % n;
}

// Index of the reflection of i in [0, n).
int64_t Mirror(int64_t i, int64_t n) {
  const int64_t k = Modulo(i, 2 * n);
  return k < n ? k : 2 * n - 1 - k;
}

// sum over u of h(u) x(r - sign (u - c))
Volume DirectSum(const Volume& x, const Psf& psf, int64_t sign) {
  Volume out(x.nz, x.ny, x.nx);
  for (int64_t z = 0; z < x.nz; ++z)
    for (int64_t y = 0; y < x.ny; ++y)
      for (int64_t i = 0; i < x.nx; ++i) {
        double sum = 0;
        for (int64_t a = 0; a < psf.h.nz; ++a)
          for (int64_t b = 0; b < psf.h.ny; ++b)
            for (int64_t c = 0; c < psf.h.nx; ++c)
              sum += psf.h.at(a, b, c) *
                     x.wrapped(z - sign * (a - psf.cz), y - sign * (b - psf.cy), i - sign * (c - psf.cx));
        out.at(z, y, i) = sum;
      }
  return out;
}

}  // namespace

Volume::Volume(int64_t z, int64_t y, int64_t x, double value)
    : nz(z), ny(y), nx(x), values(static_cast<size_t>(z * y * x), value) {}

double Volume::wrapped(int64_t z, int64_t y, int64_t x) const {
  return at(Modulo(z, nz), Modulo(y, ny), Modulo(x, nx));
}

Volume Convolve(const Volume& x, const Psf& psf) {
  return DirectSum(x, psf, 1);
}

Volume Correlate(const Volume& x, const Psf& psf) {
  return DirectSum(x, psf, -1);
}

double IDivergence(const Volume& y, const Volume& m, const Volume& v, double background) {
  double sum = 0;
  for (size_t i = 0; i < y.values.size(); ++i) {
    if (m.values[i] == 0) continue;
    const double model = v.values[i] + background;
    const double data = y.values[i];
    sum += model - data;
    if (data > 0) sum += data * std::log(data / model);
  }
  return sum;
}

Volume Padded(const Volume& inner, int64_t nz, int64_t ny, int64_t nx) {
  Volume out(nz, ny, nx);
  for (int64_t z = 0; z < inner.nz; ++z)
    for (int64_t y = 0; y < inner.ny; ++y)
      for (int64_t x = 0; x < inner.nx; ++x) out.at(z, y, x) = inner.at(z, y, x);
  return out;
}

Volume Cropped(const Volume& outer, int64_t nz, int64_t ny, int64_t nx) {
  Volume out(nz, ny, nx);
  for (int64_t z = 0; z < nz; ++z)
    for (int64_t y = 0; y < ny; ++y)
      for (int64_t x = 0; x < nx; ++x) out.at(z, y, x) = outer.at(z, y, x);
  return out;
}

Volume Reflected(const Volume& inner, int64_t nz, int64_t ny, int64_t nx, int64_t z0, int64_t y0, int64_t x0) {
  Volume out(nz, ny, nx);
  for (int64_t z = 0; z < nz; ++z)
    for (int64_t y = 0; y < ny; ++y)
      for (int64_t x = 0; x < nx; ++x)
        out.at(z, y, x) = inner.at(Mirror(z - z0, inner.nz), Mirror(y - y0, inner.ny), Mirror(x - x0, inner.nx));
  return out;
}

Volume Rounding::Convolved(Volume v) {
  if (most_ == 0) return v;
  std::uniform_real_distribution<double> error(-most_, most_);
  const double largest = std::abs(*std::max_element(v.values.begin(), v.values.end()));
  for (double& value : v.values) value += largest * error(random_);
  return v;
}

Volume Rounding::Stored(Volume v) {
  if (most_ == 0) return v;
  std::uniform_real_distribution<double> error(-most_ / 2, most_ / 2);
  for (double& value : v.values) value *= 1 + error(random_);
  return v;
}

Volume RichardsonLucy(const Volume& y, const Volume& m, const Psf& psf, const Volume& x0,
                      const RichardsonLucyOptions& options) {
  Rounding rounding(options.rounding);
  const auto adjoint = [&](const Volume& q) { return rounding.Convolved(Correlate(q, psf)); };
  const auto other_projector = [&](const Volume& q) { return rounding.Convolved(options.back_projector(q)); };
  const Volume w_matched = adjoint(m);
  const Volume w_other = options.back_projector ? other_projector(m) : w_matched;
  const size_t n = y.values.size();
  Volume x = x0, before = x0;
  std::vector<double> g1(n, 0.0), g2(n, 0.0);  // the last change and the one before
  for (int k = 1; k <= options.iterations; ++k) {
    const bool other = options.back_projector && k <= options.iterations - options.matched_steps;
    const bool closing = options.back_projector && !other;
    const Volume& w = other ? w_other : w_matched;
    double alpha = 0;
    if (options.acceleration == Acceleration::kHeavyBall) alpha = (k - 1.0) / (k + 2.0);
    if (options.acceleration == Acceleration::kBiggsAndrews && k >= 3) {
      const double old = std::inner_product(g2.begin(), g2.end(), g2.begin(), 0.0);
      const double both = std::inner_product(g1.begin(), g1.end(), g2.begin(), 0.0);
      alpha = old > 0 ? std::min(1.0, std::max(0.0, both / old)) : 0;
    }
    if (closing) alpha = 0;
    Volume p = x;
    for (size_t i = 0; i < n; ++i) {
      p.values[i] = std::max(x.values[i] + alpha * (x.values[i] - before.values[i]), 0.1 * x.values[i]);
    }
    Volume quotient = rounding.Convolved(Convolve(p, psf));
    const double raise = other ? std::max(0.2 * options.mean - options.background, 0.0) : 0;
    if (options.watch) options.watch(k, IDivergence(y, m, quotient, options.background));
    for (size_t i = 0; i < n; ++i) {
      const double model = std::max(quotient.values[i] + options.background + raise, 1e-6 * options.mean);
      quotient.values[i] = m.values[i] * (y.values[i] + raise) / model;
    }
    const Volume slope = options.roughness ? options.roughness(p) : Volume();
    const Volume correction = other ? other_projector(quotient) : adjoint(quotient);
    before = x;
    for (size_t i = 0; i < n; ++i) {
      x.values[i] = p.values[i];
      if (w.values[i] < 0.01) continue;
      double denominator = w.values[i];
      if (options.roughness) denominator *= std::max(1 + options.strength * slope.values[i], 0.1);
      if (!other || w.values[i] >= 1) x.values[i] *= correction.values[i] / denominator;
      if (other && w.values[i] < 1) x.values[i] *= 1 + correction.values[i] - w.values[i];
      if (other) x.values[i] = std::max(x.values[i], 1e-3 * options.mean);
    }
    x = rounding.Stored(std::move(x));
    g2 = g1;
    for (size_t i = 0; i < n; ++i) g1[i] = x.values[i] - p.values[i];
  }
  return x;
}

namespace {

// The index of the voxel before or after along an axis of n; -1 where there is none.
int64_t Beside(int64_t i, int64_t step, int64_t n, bool periodic) {
  const int64_t j = i + step;
  if (periodic) return (j + n) % n;
  return j >= 0 && j < n ? j : -1;
}

// D x along each axis.
struct Gradient {
  Volume z, y, x;
};

Gradient GradientOf(const Volume& v, const Slopes& slopes) {
  Gradient g{v, v, v};
  for (int64_t z = 0; z < v.nz; ++z)
    for (int64_t y = 0; y < v.ny; ++y)
      for (int64_t x = 0; x < v.nx; ++x) {
        const int64_t nz = Beside(z, 1, v.nz, slopes.periodic), ny = Beside(y, 1, v.ny, slopes.periodic),
                      nx = Beside(x, 1, v.nx, slopes.periodic);
        g.z.at(z, y, x) = nz < 0 ? 0 : slopes.z * (v.at(nz, y, x) - v.at(z, y, x));
        g.y.at(z, y, x) = ny < 0 ? 0 : slopes.y * (v.at(z, ny, x) - v.at(z, y, x));
        g.x.at(z, y, x) = nx < 0 ? 0 : slopes.x * (v.at(z, y, nx) - v.at(z, y, x));
      }
  return g;
}

// D* g.
Volume AdjointOfGradient(const Gradient& g, const Slopes& slopes) {
  Volume out(g.z.nz, g.z.ny, g.z.nx);
  const auto add = [&](const Volume& part, double factor, int64_t z, int64_t y, int64_t x, int64_t kz, int64_t ky,
                       int64_t kx) {
    out.at(z, y, x) -= factor * part.at(z, y, x);
    if (kz >= 0 && ky >= 0 && kx >= 0) out.at(kz, ky, kx) += factor * part.at(z, y, x);
  };
  for (int64_t z = 0; z < out.nz; ++z)
    for (int64_t y = 0; y < out.ny; ++y)
      for (int64_t x = 0; x < out.nx; ++x) {
        add(g.z, slopes.z, z, y, x, Beside(z, 1, out.nz, slopes.periodic), y, x);
        add(g.y, slopes.y, z, y, x, z, Beside(y, 1, out.ny, slopes.periodic), x);
        add(g.x, slopes.x, z, y, x, z, y, Beside(x, 1, out.nx, slopes.periodic));
      }
  return out;
}

}  // namespace

Volume TotalVariationSlope(const Volume& x, const Slopes& slopes, double floor) {
  Gradient g = GradientOf(x, slopes);
  for (size_t i = 0; i < x.values.size(); ++i) {
    const double length = std::hypot(g.z.values[i], g.y.values[i], g.x.values[i]);
    for (Volume* part : {&g.z, &g.y, &g.x}) part->values[i] /= std::max(length, floor);
  }
  return AdjointOfGradient(g, slopes);
}

Volume GoodRoughnessSlope(const Volume& x, const Slopes& slopes, double floor) {
  Volume u = x;
  for (double& v : u.values) v = std::sqrt(std::max(v, floor));
  Volume slope = AdjointOfGradient(GradientOf(u, slopes), slopes);
  for (size_t i = 0; i < x.values.size(); ++i) slope.values[i] *= 4 / u.values[i];
  return slope;
}

Volume Continued(const Volume& y, const Volume& m, const Psf& psf, double mean) {
  Volume counted = y;
  for (size_t i = 0; i < counted.values.size(); ++i) counted.values[i] *= m.values[i];
  Volume out = Correlate(counted, psf);
  const Volume w = Correlate(m, psf);
  for (size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] = w.values[i] >= 0.01 ? out.values[i] / w.values[i] : mean;
  }
  return out;
}

double RelativeError(const Volume& a, const Volume& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.values.size(); ++i) {
    difference += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
    norm += b.values[i] * b.values[i];
  }
  const double error = std::sqrt(difference / norm);
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

}  // namespace deconvoy::reference
