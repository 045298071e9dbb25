#include "worker/ops/scaling_filter.h"

#include <cmath>
#include <numbers>

namespace deconvoy::worker {
namespace {

// The sum over all k of |b^(w + 2 pi k)|^2, b the B-spline of degree 1, 3 or 5: the transform of that of degree 3, 7 or
// 11 at the integers.
double SplineEnergy(int degree, double w) {
  const auto c = [w](int k) { return 2 * std::cos(k * w); };
  if (degree == 1) return (4 + c(1)) / 6;
  if (degree == 3) return (2416 + 1191 * c(1) + 120 * c(2) + c(3)) / 5040;
  return (15724248 + 9738114 * c(1) + 2203488 * c(2) + 152637 * c(3) + 2036 * c(4) + c(5)) / 39916800;
}

}  // namespace

double ScalingFilter(int degree, double w) {
  return std::numbers::sqrt2 * std::pow(std::cos(w / 2), degree + 1) *
         std::sqrt(SplineEnergy(degree, w) / SplineEnergy(degree, 2 * w));
}

}  // namespace deconvoy::worker
