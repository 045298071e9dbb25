// Polynomials of low degree through points, by weighted least squares; and with Tukey's biweight, which leaves out what
// does not belong (Beaton and Tukey, Technometrics 16 (1974) 147).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace deconvoy::worker {

struct Polynomial {
  static constexpr size_t kTerms = 3;
  std::array<double, kTerms> coefficients{};  // of 1, x, x^2
  std::array<double, kTerms> variances{};     // of the coefficients, where weights are 1 / variance

  double At(double x) const { return coefficients[0] + x * (coefficients[1] + x * coefficients[2]); }
};

// The polynomial of `degree` 0 to 2 that is nearest to the points; none where they do not determine it. REQUIRES: spans
// of one size, weights at least 0.
std::optional<Polynomial> FitPolynomial(std::span<const double> x, std::span<const double> y,
                                        std::span<const double> weights, int degree);

struct RobustFit {
  Polynomial polynomial;
  double spread = 0;  // of the points about it: 1.4826 times the median of their distances
};

// As above with all points alike, but for those further away than 4.7 spreads, which do not count.
std::optional<RobustFit> FitRobustly(std::span<const double> x, std::span<const double> y, int degree);

// The middle value; the mean of the two middle ones of an even number; 0 of none. Changes the order.
double MedianOf(std::span<double> values);

}  // namespace deconvoy::worker
