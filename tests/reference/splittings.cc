#include "tests/reference/splittings.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace deconvoy::reference {
namespace {

Volume Like(const Volume& v) {
  return Volume(v.nz, v.ny, v.nx);
}

// Calls visit(part, dz, dy, dx, factor): the part at a voxel is the sum of factor times x at the displaced one.
template <typename Visit>
void ForEachTerm(Order slopes, const std::array<double, 3>& f, const Visit& visit) {
  if (slopes == Order::kFirst) {
    visit(0, 1, 0, 0, f[0]), visit(0, 0, 0, 0, -f[0]);
    visit(1, 0, 1, 0, f[1]), visit(1, 0, 0, 0, -f[1]);
    visit(2, 0, 0, 1, f[2]), visit(2, 0, 0, 0, -f[2]);
  }
  if (slopes == Order::kSecond) {
    for (const int side : {-1, 1}) {
      visit(0, side, 0, 0, f[0] * f[0]), visit(0, 0, 0, 0, -f[0] * f[0]);
      visit(1, 0, side, 0, f[1] * f[1]), visit(1, 0, 0, 0, -f[1] * f[1]);
      visit(2, 0, 0, side, f[2] * f[2]), visit(2, 0, 0, 0, -f[2] * f[2]);
    }
    for (const int a : {0, 1}) {
      for (const int b : {0, 1}) {
        const double sign = (a == b ? 1 : -1) * std::sqrt(2.0);
        visit(3, a, b, 0, sign * f[0] * f[1]);
        visit(4, a, 0, b, sign * f[0] * f[2]);
        visit(5, 0, a, b, sign * f[1] * f[2]);
      }
    }
  }
}

template <typename Visit>
void ForEachVoxel(const Volume& v, const Visit& visit) {
  for (int64_t z = 0; z < v.nz; ++z)
    for (int64_t y = 0; y < v.ny; ++y)
      for (int64_t x = 0; x < v.nx; ++x) visit(z, y, x);
}

Volume Plus(Volume a, const Volume& b, double factor = 1) {
  for (size_t i = 0; i < a.values.size(); ++i) a.values[i] += factor * b.values[i];
  return a;
}

// What H*H + 1 + D*D makes of a single bright voxel at the origin has its eigenvalues for a transform.
Spectrum Inverse(const Volume& like, const Psf& psf, Order slopes, const std::array<double, 3>& factors, double weight,
                 double slopes_weight) {
  Volume point = Like(like);
  point.at(0, 0, 0) = 1;
  Volume response = Plus(Correlate(Convolve(point, psf), psf), point, weight);
  if (slopes != Order::kNone)
    response = Plus(response, FromParts(PartsOf(point, slopes, factors), slopes, factors), slopes_weight);
  Spectrum inverse = Transform(response);
  for (auto& value : inverse.values) value = 1.0 / value;
  return inverse;
}

// One copy z of K x, of several parts, with its scaled dual.
struct Copy {
  std::vector<Volume> z, u;
};

struct Norms {
  double primal = 0, dual = 0;
};

// z of a v + (1 - a) z + u by `step`, u, and the norms of what changed, over the voxels with m = 1; elsewhere a is 1.
void Update(Copy& copy, const std::vector<Volume>& v, const Volume& m,
            const std::function<std::vector<Volume>(const std::vector<Volume>&)>& step, double weight,
            double relaxation, Norms& norms) {
  std::vector<Volume> t = v;
  for (size_t k = 0; k < v.size(); ++k) {
    for (size_t i = 0; i < m.values.size(); ++i) {
      const double a = m.values[i] == 0 ? 1 : relaxation;
      t[k].values[i] = a * v[k].values[i] + (1 - a) * copy.z[k].values[i] + copy.u[k].values[i];
    }
  }
  const std::vector<Volume> z = step(t);
  for (size_t k = 0; k < v.size(); ++k) {
    for (size_t i = 0; i < m.values.size(); ++i) {
      if (m.values[i] == 0) continue;
      norms.primal += weight * std::pow(v[k].values[i] - z[k].values[i], 2);
      norms.dual += weight * std::pow(z[k].values[i] - copy.z[k].values[i], 2);
    }
    copy.u[k] = Plus(t[k], z[k], -1);
    copy.z[k] = z[k];
  }
}

}  // namespace

std::vector<Volume> PartsOf(const Volume& x, Order slopes, const std::array<double, 3>& factors) {
  std::vector<Volume> parts(slopes == Order::kNone ? 0 : slopes == Order::kFirst ? 3 : 6, Like(x));
  ForEachTerm(slopes, factors, [&](size_t part, int64_t dz, int64_t dy, int64_t dx, double factor) {
    ForEachVoxel(x, [&](int64_t i, int64_t j, int64_t k) {
      parts[part].at(i, j, k) += factor * x.wrapped(i + dz, j + dy, k + dx);
    });
  });
  return parts;
}

Volume FromParts(const std::vector<Volume>& parts, Order slopes, const std::array<double, 3>& factors) {
  Volume x = Like(parts[0]);
  ForEachTerm(slopes, factors, [&](size_t part, int64_t dz, int64_t dy, int64_t dx, double factor) {
    ForEachVoxel(x, [&](int64_t i, int64_t j, int64_t k) {
      x.at(i, j, k) += factor * parts[part].wrapped(i - dz, j - dy, k - dx);
    });
  });
  return x;
}

std::vector<Volume> Drawn(const std::vector<Volume>& t, double threshold) {
  std::vector<Volume> z = t;
  for (size_t i = 0; !t.empty() && i < t[0].values.size(); ++i) {
    double square = 0;
    for (const Volume& part : t) square += part.values[i] * part.values[i];
    const double length = std::sqrt(square);
    for (Volume& part : z) part.values[i] *= length > threshold ? (length - threshold) / length : 0;
  }
  return z;
}

double Length(const std::vector<Volume>& parts) {
  double sum = 0;
  for (size_t i = 0; !parts.empty() && i < parts[0].values.size(); ++i) {
    double square = 0;
    for (const Volume& part : parts) square += part.values[i] * part.values[i];
    sum += std::sqrt(square);
  }
  return sum;
}

double Misfit(Noise noise, double y, double z, double background, double variance) {
  const double s = z + background;
  if (noise == Noise::kGaussian) return (s - y) * (s - y) / (2 * variance);
  if (s < 0 || (s == 0 && y > 0)) return std::numeric_limits<double>::infinity();
  return s - (y > 0 ? y * std::log(s) : 0);
}

double LeastMisfit(Noise noise, double y, double t, double background, double variance, double rho) {
  // The slope rises with z: its zero lies between the bounds.
  const auto slope = [&](double z) {
    const double s = z + background;
    const double of_data = noise == Noise::kGaussian ? (s - y) / variance : 1 - (y > 0 ? y / s : 0);
    return rho * (z - t) + of_data;
  };
  const bool poisson = noise == Noise::kPoisson;
  const double reach = 1 + std::abs(t) + std::abs(y) + std::abs(background) + 1 / rho;
  double low = poisson ? -background : -4 * reach, high = 4 * reach;
  for (int k = 0; k < 200; ++k) {
    const double middle = (low + high) / 2;
    (slope(middle) > 0 ? high : low) = middle;
  }
  return (low + high) / 2;
}

Volume Split(const Volume& y, const Volume& m, const Psf& psf, const Volume& x0, const SplitOptions& options) {
  double rho = options.penalty / options.mean, scale = 1;
  const Volume ones(y.nz, y.ny, y.nx, 1);
  const Spectrum inverse = Inverse(y, psf, options.slopes, options.factors, options.weight, options.slopes_weight);
  const auto of_data = [&](const std::vector<Volume>& t) {
    std::vector<Volume> z = t;
    for (size_t i = 0; i < m.values.size(); ++i) {
      if (m.values[i] == 0) continue;
      z[0].values[i] = LeastMisfit(options.noise, y.values[i], t[0].values[i], options.background, options.mean, rho);
    }
    return z;
  };
  const auto of_value = [&](const std::vector<Volume>& t) {
    if (options.denoise) return std::vector<Volume>{options.denoise(t[0], rho)};
    std::vector<Volume> z = t;
    for (double& value : z[0].values) value = std::max(value, 0.0);
    return z;
  };
  const auto of_slopes = [&](const std::vector<Volume>& t) {
    return Drawn(t, options.lambda / (options.slopes_weight * rho));
  };
  const auto begin = [](const std::vector<Volume>& v) {
    Copy copy{v, v};
    for (Volume& part : copy.u) part = Like(part);
    return copy;
  };
  const std::vector<Volume> slopes0 = PartsOf(x0, options.slopes, options.factors);
  Copy data = begin({Convolve(x0, psf)}), value = begin({x0}), slopes = begin(slopes0);
  Norms ignored;
  Update(data, data.z, m, of_data, 1, 1, ignored);
  Update(value, value.z, ones, of_value, 1, 1, ignored);
  Update(slopes, slopes0, ones, of_slopes, 1, 1, ignored);
  for (int k = 1; k <= options.iterations; ++k) {
    Volume right =
        Plus(Correlate(Plus(data.z[0], data.u[0], -1), psf), Plus(value.z[0], value.u[0], -1), options.weight);
    std::vector<Volume> free = slopes.z;
    for (size_t part = 0; part < free.size(); ++part) free[part] = Plus(slopes.z[part], slopes.u[part], -1);
    if (!free.empty()) right = Plus(right, FromParts(free, options.slopes, options.factors), options.slopes_weight);
    const Volume x = Filtered(right, inverse);
    Norms norms;
    const double relaxation = options.relaxation;
    Update(data, {Convolve(x, psf)}, m, of_data, 1, relaxation, norms);
    Update(value, {x}, ones, of_value, options.weight, relaxation, norms);
    Update(slopes, PartsOf(x, options.slopes, options.factors), ones, of_slopes, options.slopes_weight, relaxation,
           norms);
    for (Copy* copy : {&data, &value, &slopes}) {
      for (Volume& u : copy->u) u = Plus(u, u, scale - 1);
    }
    rho /= scale;
    if (options.watch) options.watch(rho);
    scale = 1;
    if (options.balancing && k % 2 == 1 && k < 20) {
      if (norms.primal > 100 * norms.dual) scale = 0.5;
      if (norms.dual > 100 * norms.primal) scale = 2;
    }
  }
  return value.z[0];
}

Volume Flattened(const Volume& v, double sigma, const std::array<double, 3>& factors, int steps,
                 std::vector<Volume>& p) {
  if (p.empty()) p.assign(3, Like(v));
  const double step = 1 / (4 * (factors[0] * factors[0] + factors[1] * factors[1] + factors[2] * factors[2]));
  const auto shortened = [&] {
    const std::vector<Volume> excess = Drawn(p, sigma);
    for (size_t part = 0; part < 3; ++part) p[part] = Plus(p[part], excess[part], -1);
  };
  shortened();
  for (int k = 0; k < steps; ++k) {
    const Volume x = Plus(v, FromParts(p, Order::kFirst, factors), -1);
    const std::vector<Volume> slopes = PartsOf(x, Order::kFirst, factors);
    for (size_t part = 0; part < 3; ++part) p[part] = Plus(p[part], slopes[part], step);
    shortened();
  }
  return Plus(v, FromParts(p, Order::kFirst, factors), -1);
}

double Objective(const Volume& x, const Volume& y, const Volume& m, const Psf& psf, const SplitOptions& options) {
  const Volume v = Convolve(x, psf);
  double sum = options.lambda * Length(PartsOf(x, options.slopes, options.factors));
  for (size_t i = 0; i < y.values.size(); ++i) {
    if (m.values[i] == 0) continue;
    const double data = y.values[i];
    sum += Misfit(options.noise, data, v.values[i], options.background, options.mean);
    if (options.noise == Noise::kPoisson) sum -= Misfit(options.noise, data, data, 0, options.mean);
  }
  return sum;
}

}  // namespace deconvoy::reference
