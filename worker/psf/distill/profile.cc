#include "worker/psf/distill/profile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>

namespace deconvoy::worker {
namespace {

constexpr int kRounds = 60;
constexpr int64_t kLeastPoints = 5;

using Vector = std::array<double, 4>;  // height, centre, log sigma, offset
using Matrix = std::array<Vector, 4>;

double ValueAt(const Vector& p, double i) {
  const double d = (i - p[1]) / std::exp(p[2]);
  return p[0] * std::exp(-d * d / 2) + p[3];
}

Vector SlopeAt(const Vector& p, double i) {
  const double d = (i - p[1]) / std::exp(p[2]), bell = std::exp(-d * d / 2);
  return {bell, p[0] * bell * d / std::exp(p[2]), p[0] * bell * d * d, 1};
}

double SumOfSquares(std::span<const double> line, int64_t first, const Vector& p) {
  double sum = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const double left = line[i] - ValueAt(p, static_cast<double>(first + static_cast<int64_t>(i)));
    sum += left * left;
  }
  return sum;
}

// By elimination with pivots; zeros where there is no single solution.
Vector Solve(Matrix a, Vector b) {
  for (size_t column = 0; column < 4; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < 4; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    if (a[pivot][column] == 0) return {};
    std::swap(a[pivot], a[column]);
    std::swap(b[pivot], b[column]);
    for (size_t row = column + 1; row < 4; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (size_t k = column; k < 4; ++k) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  Vector x{};
  for (size_t row = 4; row-- > 0;) {
    double sum = b[row];
    for (size_t k = row + 1; k < 4; ++k) sum -= a[row][k] * x[k];
    x[row] = sum / a[row][row];
  }
  return x;
}

// The step of Levenberg and Marquardt.
Vector StepFrom(std::span<const double> line, int64_t first, const Vector& p, double damping) {
  Matrix squares{};
  Vector slope{};
  for (size_t i = 0; i < line.size(); ++i) {
    const auto at = static_cast<double>(first + static_cast<int64_t>(i));
    const Vector s = SlopeAt(p, at);
    const double left = line[i] - ValueAt(p, at);
    for (size_t j = 0; j < 4; ++j) {
      slope[j] += s[j] * left;
      for (size_t k = 0; k < 4; ++k) squares[j][k] += s[j] * s[k];
    }
  }
  for (size_t j = 0; j < 4; ++j) squares[j][j] *= 1 + damping;
  return Solve(squares, slope);
}

Vector Fit(std::span<const double> line, int64_t first, Vector p) {
  double damping = 1e-3, sum = SumOfSquares(line, first, p);
  for (int round = 0; round < kRounds; ++round) {
    const Vector step = StepFrom(line, first, p, damping);
    Vector next = p;
    for (size_t j = 0; j < 4; ++j) next[j] += step[j];
    const double there = SumOfSquares(line, first, next);
    if (there < sum) {
      p = next;
      sum = there;
      damping = std::max(damping / 10, 1e-12);
    } else {
      damping *= 10;
    }
  }
  return p;
}

double Mirrored(std::span<const float> psf, const Shape3& shape, const std::array<bool, 3>& turned) {
  double mean = 0;
  for (const float v : psf) mean += static_cast<double>(v);
  mean /= static_cast<double>(psf.size());
  double product = 0, squares = 0;
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    int64_t z = i / (shape.y * shape.x), y = i / shape.x % shape.y, x = i % shape.x;
    if (turned[0]) z = shape.z - 1 - z;
    if (turned[1]) y = shape.y - 1 - y;
    if (turned[2]) x = shape.x - 1 - x;
    const double a = static_cast<double>(psf[static_cast<size_t>(i)]) - mean;
    product += a * (static_cast<double>(psf[static_cast<size_t>((z * shape.y + y) * shape.x + x)]) - mean);
    squares += a * a;
  }
  return squares > 0 ? product / squares : 1;
}

}  // namespace

double GaussianFit::fwhm() const {
  return 2 * std::sqrt(2 * std::numbers::ln2) * sigma;
}

GaussianFit FitGaussian(std::span<const double> line, double width) {
  const auto n = static_cast<int64_t>(line.size());
  if (n < kLeastPoints) return {};
  const int64_t peak = std::max_element(line.begin(), line.end()) - line.begin();
  const int64_t reach = std::max<int64_t>(static_cast<int64_t>(std::ceil(1.5 * width)), kLeastPoints / 2);
  const int64_t begin = std::max<int64_t>(peak - reach, 0), end = std::min(peak + reach + 1, n);
  if (end - begin < kLeastPoints) return {};
  const auto part = line.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const double least = *std::min_element(part.begin(), part.end());
  const double height = line[static_cast<size_t>(peak)] - least;
  if (!(height > 0)) return {};
  // In units of the height, so that damping means the same everywhere.
  std::vector<double> scaled;
  for (const double v : part) scaled.push_back((v - least) / height);
  const double sigma = std::max(width, 1.0) / (2 * std::sqrt(2 * std::numbers::ln2));
  const Vector p = Fit(scaled, begin, {1, static_cast<double>(peak), std::log(sigma), 0});
  const double fitted = std::exp(p[2]);
  if (!(p[0] > 0) || !std::isfinite(fitted) || fitted > static_cast<double>(n)) return {};
  const double left = SumOfSquares(scaled, begin, p) / static_cast<double>(scaled.size());
  return {.height = p[0] * height,
          .centre = p[1],
          .sigma = fitted,
          .offset = p[3] * height + least,
          .residual = std::sqrt(left) / p[0]};
}

std::array<GaussianFit, 3> FitProfiles(std::span<const float> psf, const Shape3& shape,
                                       const std::array<double, 3>& widths) {
  const int64_t peak = std::max_element(psf.begin(), psf.end()) - psf.begin();
  const std::array<int64_t, 3> extents = {shape.z, shape.y, shape.x}, strides = {shape.y * shape.x, shape.x, 1};
  std::array<GaussianFit, 3> fits;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t first = peak - peak / strides[axis] % extents[axis] * strides[axis];
    std::vector<double> line;
    for (int64_t i = 0; i < extents[axis]; ++i) {
      line.push_back(static_cast<double>(psf[static_cast<size_t>(first + i * strides[axis])]));
    }
    fits[axis] = FitGaussian(line, widths[axis]);
  }
  return fits;
}

std::array<double, 3> MirrorCorrelations(std::span<const float> psf, const Shape3& shape) {
  return {Mirrored(psf, shape, {true, false, false}), Mirrored(psf, shape, {false, true, false}),
          Mirrored(psf, shape, {false, false, true})};
}

}  // namespace deconvoy::worker
