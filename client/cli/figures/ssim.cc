#include "client/cli/figures/ssim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace deconvoy::client {
namespace {

constexpr double kSigma = 1.5;
constexpr int64_t kRadius = 5;
constexpr double kK1 = 0.01, kK2 = 0.03;

using Plane = std::vector<double>;

const std::array<double, 2 * kRadius + 1>& Window() {
  static const auto window = [] {
    std::array<double, 2 * kRadius + 1> weights{};
    for (int64_t i = -kRadius; i <= kRadius; ++i) {
      weights[static_cast<size_t>(i + kRadius)] = std::exp(-0.5 * static_cast<double>(i * i) / (kSigma * kSigma));
    }
    return weights;
  }();
  return window;
}

// Weighted mean along one axis around position `at` of `extent`, whose neighbours lie `step` apart.
double Mean(const double* centre, int64_t at, int64_t extent, int64_t step) {
  double sum = 0, weights = 0;
  for (int64_t i = std::max(-kRadius, -at); i <= std::min(kRadius, extent - 1 - at); ++i) {
    const double weight = Window()[static_cast<size_t>(i + kRadius)];
    sum += weight * centre[i * step];
    weights += weight;
  }
  return sum / weights;
}

Plane Smooth(const Plane& plane, int64_t width) {
  const int64_t height = static_cast<int64_t>(plane.size()) / width;
  Plane rows(plane.size()), result(plane.size());
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x)
      rows[static_cast<size_t>(y * width + x)] = Mean(&plane[static_cast<size_t>(y * width + x)], x, width, 1);
  }
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x)
      result[static_cast<size_t>(y * width + x)] = Mean(&rows[static_cast<size_t>(y * width + x)], y, height, width);
  }
  return result;
}

Plane Product(const Plane& a, const Plane& b) {
  Plane result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::multiplies<>());
  return result;
}

}  // namespace

double Ssim(const std::vector<double>& a, const std::vector<double>& b, int64_t width, double range) {
  // Variances are taken around the reference's mean, where they lose no digits to a large offset.
  const double offset = std::accumulate(b.begin(), b.end(), 0.0) / static_cast<double>(b.size());
  Plane from_a(a), from_b(b);
  for (double& value : from_a) value -= offset;
  for (double& value : from_b) value -= offset;
  const Plane mean_a = Smooth(from_a, width), mean_b = Smooth(from_b, width);
  const Plane square_a = Smooth(Product(from_a, from_a), width), square_b = Smooth(Product(from_b, from_b), width);
  const Plane product = Smooth(Product(from_a, from_b), width);
  const double c1 = std::pow(kK1 * range, 2), c2 = std::pow(kK2 * range, 2);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double variance_a = square_a[i] - mean_a[i] * mean_a[i], variance_b = square_b[i] - mean_b[i] * mean_b[i];
    const double covariance = product[i] - mean_a[i] * mean_b[i];
    const double ma = mean_a[i] + offset, mb = mean_b[i] + offset;
    const double denominator = (ma * ma + mb * mb + c1) * (variance_a + variance_b + c2);
    sum += denominator == 0 ? 1 : (2 * ma * mb + c1) * (2 * covariance + c2) / denominator;
  }
  return sum / static_cast<double>(a.size());
}

}  // namespace deconvoy::client
