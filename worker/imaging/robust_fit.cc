#include "worker/imaging/robust_fit.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deconvoy::worker {
namespace {

constexpr size_t kTerms = Polynomial::kTerms;
constexpr double kDeviationOfMad = 1.4826;  // of a normal distribution
constexpr double kBiweight = 4.685;         // deviations beyond which a point does not count: 95 % efficiency
constexpr int kRounds = 20;
constexpr double kSingular = 1e-12;  // of a pivot, over the largest diagonal element

using Matrix = std::array<std::array<double, 2 * kTerms>, kTerms>;

// Turns [A | I] into [I | A^-1]. False where A, of `n` rows, is singular.
bool Invert(Matrix& a, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(a[i][i]));
  for (size_t i = 0; i < n; ++i) {
    size_t pivot = i;
    for (size_t row = i; row < n; ++row) {
      if (std::abs(a[row][i]) > std::abs(a[pivot][i])) pivot = row;
    }
    if (!(std::abs(a[pivot][i]) > kSingular * largest)) return false;
    std::swap(a[i], a[pivot]);
    const double factor = a[i][i];
    for (double& v : a[i]) v /= factor;
    for (size_t row = 0; row < n; ++row) {
      if (row == i) continue;
      const double share = a[row][i];
      for (size_t k = 0; k < 2 * kTerms; ++k) a[row][k] -= share * a[i][k];
    }
  }
  return true;
}

std::vector<double> Distances(const Polynomial& polynomial, std::span<const double> x, std::span<const double> y) {
  std::vector<double> distances(x.size());
  for (size_t i = 0; i < x.size(); ++i) distances[i] = std::abs(y[i] - polynomial.At(x[i]));
  return distances;
}

}  // namespace

std::optional<Polynomial> FitPolynomial(std::span<const double> x, std::span<const double> y,
                                        std::span<const double> weights, int degree) {
  const auto n = static_cast<size_t>(degree) + 1;
  Matrix a{};
  std::array<double, kTerms> right{};
  for (size_t i = 0; i < x.size(); ++i) {
    const std::array<double, kTerms> powers{1, x[i], x[i] * x[i]};
    for (size_t row = 0; row < n; ++row) {
      for (size_t column = 0; column < n; ++column) a[row][column] += weights[i] * powers[row] * powers[column];
      right[row] += weights[i] * powers[row] * y[i];
    }
  }
  for (size_t i = 0; i < n; ++i) a[i][kTerms + i] = 1;
  if (!Invert(a, n)) return std::nullopt;
  Polynomial fit;
  for (size_t row = 0; row < n; ++row) {
    for (size_t k = 0; k < n; ++k) fit.coefficients[row] += a[row][kTerms + k] * right[k];
    fit.variances[row] = a[row][kTerms + row];
  }
  return fit;
}

std::optional<RobustFit> FitRobustly(std::span<const double> x, std::span<const double> y, int degree) {
  std::vector<double> weights(x.size(), 1.0);
  std::optional<Polynomial> fit = FitPolynomial(x, y, weights, degree);
  if (!fit) return std::nullopt;
  RobustFit result{*fit, 0};
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<double> distances = Distances(result.polynomial, x, y);
    std::vector<double> sorted = distances;
    result.spread = kDeviationOfMad * MedianOf(sorted);
    if (!(result.spread > 0)) break;
    for (size_t i = 0; i < x.size(); ++i) {
      const double u = distances[i] / (kBiweight * result.spread);
      weights[i] = u < 1 ? (1 - u * u) * (1 - u * u) : 0;
    }
    fit = FitPolynomial(x, y, weights, degree);
    if (!fit) break;
    result.polynomial = *fit;
  }
  return result;
}

double MedianOf(std::span<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace deconvoy::worker
