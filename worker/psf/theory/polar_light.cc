#include "worker/psf/theory/polar_light.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

#include "worker/psf/theory/quadrature.h"

namespace deconvoy::worker {
namespace {

using Complex = std::complex<double>;

constexpr size_t kPolarisedDirections = 64;

// Cubic between b and c, t of the way, with a before and d after.
template <typename T>
T Cubic(const T& a, const T& b, const T& c, const T& d, double t) {
  return b + t / 2 * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
}

// Values over r = 0, step, 2 step, ...; even about the axis.
double AlongRadius(std::span<const double> values, double place) {
  const auto i = static_cast<size_t>(place);
  if (i + 2 >= values.size()) return 0;
  return Cubic(values[i == 0 ? 1 : i - 1], values[i], values[i + 1], values[i + 2], place - static_cast<double>(i));
}

double AlongCircle(std::span<const double> circle, double place) {
  const size_t n = circle.size();
  const double whole = std::floor(place);
  const auto k = static_cast<size_t>(whole) % n;
  return Cubic(circle[(k + n - 1) % n], circle[k], circle[(k + 1) % n], circle[(k + 2) % n], place - whole);
}

// The angular harmonics c_n of all circles: light(angle) is the real part of the sum of c_n exp(i n angle), n >= 0.
// Those of one radius lie beside one another.
std::vector<Complex> Harmonics(const PolarLight& light, size_t count) {
  const size_t n = light.directions;
  std::vector<Complex> roots(n);
  for (size_t k = 0; k < n; ++k) {
    roots[k] = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
  }
  std::vector<Complex> harmonics;
  harmonics.reserve(light.radii() * count);
  for (size_t r = 0; r < light.radii(); ++r) {
    const auto circle = light.circle(r);
    for (size_t order = 0; order < count; ++order) {
      Complex sum = 0;
      for (size_t k = 0; k < n; ++k) sum += circle[k] * roots[order * k % n];
      harmonics.push_back(sum * ((order == 0 ? 1.0 : 2.0) / static_cast<double>(n)));
    }
  }
  return harmonics;
}

// The light that harmonics make.
PolarLight FromHarmonics(std::span<const Complex> harmonics, size_t count, size_t directions) {
  std::vector<Complex> roots(directions);
  for (size_t k = 0; k < directions; ++k) {
    roots[k] = std::polar(1.0, 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(directions));
  }
  PolarLight light{directions, std::vector<double>(harmonics.size() / count * directions)};
  for (size_t i = 0; i < light.values.size(); ++i) {
    const Complex* c = harmonics.data() + i / directions * count;
    const size_t k = i % directions;
    for (size_t order = 0; order < count; ++order) light.values[i] += (c[order] * roots[order * k % directions]).real();
  }
  return light;
}

int RingsOf(double radius) {
  return std::clamp(static_cast<int>(std::ceil(radius / 4)), 8, 64);
}

}  // namespace

PolarLight ToPolar(const RadialLight& light) {
  if (light.cosine.empty()) return {1, light.mean};
  PolarLight polar{kPolarisedDirections, {}};
  polar.values.reserve(light.mean.size() * kPolarisedDirections);
  for (size_t r = 0; r < light.mean.size(); ++r) {
    for (size_t k = 0; k < kPolarisedDirections; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / kPolarisedDirections;
      polar.values.push_back(light.mean[r] + light.cosine[r] * std::cos(2 * angle));
    }
  }
  return polar;
}

PolarLight Product(const PolarLight& a, const PolarLight& b) {
  const size_t radii = std::min(a.radii(), b.radii()), directions = std::max(a.directions, b.directions);
  PolarLight product{directions, {}};
  product.values.reserve(radii * directions);
  const auto at = [directions](const PolarLight& light, size_t r, size_t k) {
    if (light.directions == directions) return light.circle(r)[k];
    const double share = static_cast<double>(light.directions) / static_cast<double>(directions);
    return light.directions == 1 ? light.circle(r)[0] : AlongCircle(light.circle(r), static_cast<double>(k) * share);
  };
  for (size_t r = 0; r < radii; ++r) {
    for (size_t k = 0; k < directions; ++k) product.values.push_back(at(a, r, k) * at(b, r, k));
  }
  return product;
}

double Interpolate(const PolarLight& light, double place, double angle) {
  if (light.directions == 1) return AlongRadius(light.values, place);
  const auto i = static_cast<size_t>(place);
  if (i + 2 >= light.radii()) return 0;
  const auto n = static_cast<double>(light.directions);
  const double turn = angle / (2 * std::numbers::pi);
  const double along = (turn - std::floor(turn)) * n;
  // Beyond the axis lies the other side.
  const double before = i == 0 ? AlongCircle(light.circle(1), along + n / 2) : AlongCircle(light.circle(i - 1), along);
  return Cubic(before, AlongCircle(light.circle(i), along), AlongCircle(light.circle(i + 1), along),
               AlongCircle(light.circle(i + 2), along), place - static_cast<double>(i));
}

Disc::Disc(double radius, size_t count) : count_(count) {
  const int rings = RingsOf(radius);
  directions_ = static_cast<size_t>(3 * rings);
  const Quadrature rule = GaussLegendre(0, radius, rings);
  places_.reserve(count * rule.nodes.size() * directions_);
  for (size_t r = 0; r < count; ++r) {
    for (const double ring : rule.nodes) {
      for (size_t i = 0; i < directions_; ++i) {  // one half; the other mirrors it
        const double angle = std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(directions_);
        const double x = static_cast<double>(r) + ring * std::cos(angle), y = ring * std::sin(angle);
        const double away = std::hypot(x, y);
        places_.push_back({static_cast<float>(away), static_cast<float>(away > 0 ? x / away : 1)});
      }
    }
  }
  for (size_t i = 0; i < rule.nodes.size(); ++i) {
    weights_.push_back(2 * rule.weights[i] * rule.nodes[i] / (radius * radius * static_cast<double>(directions_)));
  }
}

size_t Disc::Margin(double radius) {
  return static_cast<size_t>(std::ceil(radius)) + 3;
}

double Disc::Bytes(double radius, size_t count) {
  const double rings = RingsOf(radius);
  return sizeof(Place) * 3 * rings * rings * static_cast<double>(count);
}

std::vector<double> Disc::RoundMean(std::span<const double> values) const {
  std::vector<double> means(count_);
  const Place* place = places_.data();
  for (double& mean : means) {
    for (const double weight : weights_) {
      double ring = 0;
      for (size_t i = 0; i < directions_; ++i) ring += AlongRadius(values, static_cast<double>((place++)->radius));
      mean += weight * ring;
    }
  }
  return means;
}

PolarLight Disc::Mean(const PolarLight& light) const {
  if (light.directions == 1) return {1, RoundMean(light.values)};
  // Of the places at +d and -d from the direction, the n-th harmonic has the mean c_n cos(n d).
  const size_t orders = light.directions / 4;
  const std::vector<Complex> harmonics = Harmonics(light, orders);
  std::vector<Complex> means(count_ * orders);
  const Place* place = places_.data();
  for (size_t r = 0; r < count_; ++r) {
    Complex* mean = means.data() + r * orders;
    for (const double weight : weights_) {
      for (size_t i = 0; i < directions_; ++i, ++place) {
        const auto at = static_cast<size_t>(place->radius);
        if (at + 2 >= light.radii()) continue;
        const double t = static_cast<double>(place->radius) - static_cast<double>(at);
        const Complex* c = harmonics.data() + at * orders;
        double cosine = 1, next = static_cast<double>(place->cosine);  // of n d and (n + 1) d
        for (size_t n = 0; n < orders; ++n) {
          const Complex before = at > 0 ? c[n - orders] : (n % 2 == 0 ? 1.0 : -1.0) * c[n + orders];
          mean[n] += weight * cosine * Cubic(before, c[n], c[n + orders], c[n + 2 * orders], t);
          const double after = 2 * static_cast<double>(place->cosine) * next - cosine;
          cosine = next;
          next = after;
        }
      }
    }
  }
  return FromHarmonics(means, orders, light.directions);
}

}  // namespace deconvoy::worker
