#include "tests/reference/wavelets.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <vector>

namespace deconvoy::reference {
namespace {

using Line = std::vector<double>;

// The centred B-spline, by its recursion.
double BSpline(int degree, double t) {
  if (degree == 0) return t >= -0.5 && t < 0.5 ? 1 : 0;
  const double half = (degree + 1) / 2.0;
  return ((half + t) * BSpline(degree - 1, t + 0.5) + (half - t) * BSpline(degree - 1, t - 0.5)) / degree;
}

// That of degree 2n + 1 at 0 to n.
const Line& Samples(int degree) {
  static std::map<int, Line> kept;
  Line& samples = kept[degree];
  if (samples.empty()) {
    for (int k = 0; k <= degree; ++k) samples.push_back(BSpline(2 * degree + 1, k));
  }
  return samples;
}

// H(w) of the scaling filter.
double Scaling(int degree, double w) {
  const Line& samples = Samples(degree);
  const auto energy = [&](double v) {
    double sum = samples[0];
    for (int k = 1; k <= degree; ++k) sum += 2 * samples[static_cast<size_t>(k)] * std::cos(k * v);
    return sum;
  };
  return std::sqrt(2.0) * std::pow(std::cos(w / 2), degree + 1) * std::sqrt(energy(w) / energy(2 * w));
}

// The rows of the orthogonal matrix that splits m numbers, coarse ones first.
std::vector<Line> Matrix(int degree, int64_t m) {
  const auto n = static_cast<size_t>(m);
  std::vector<Line> rows(n, Line(n, 0.0));
  if (degree == 0) {
    for (size_t i = 0; i < n / 2; ++i) {
      rows[i][2 * i] = rows[i][2 * i + 1] = rows[n / 2 + i][2 * i] = std::sqrt(0.5);
      rows[n / 2 + i][2 * i + 1] = -std::sqrt(0.5);
    }
    return rows;
  }
  // The filters on a circle of m, as inverse transforms of H(w) and exp(-i w) H(w + pi).
  Line h(n), g(n);
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < n; ++k) {
      const double w = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      h[j] += Scaling(degree, w) * std::cos(w * static_cast<double>(j)) / static_cast<double>(n);
      g[j] +=
          Scaling(degree, w + std::numbers::pi) * std::cos(w * (static_cast<double>(j) - 1)) / static_cast<double>(n);
    }
  }
  for (size_t i = 0; i < n / 2; ++i) {
    for (size_t j = 0; j < n; ++j) {
      rows[i][j] = h[(j + n - 2 * i) % n];
      rows[n / 2 + i][j] = g[(j + n - 2 * i) % n];
    }
  }
  return rows;
}

Line Split(const std::vector<Line>& matrix, const Line& line) {
  const size_t m = matrix.size(), odd = line.size() - m;
  Line out(line.size(), 0.0);
  for (size_t i = 0; i < m; ++i) {
    const size_t to = i < m / 2 ? i : i + odd;
    for (size_t j = 0; j < m; ++j) out[to] += matrix[i][j] * line[j];
  }
  if (odd > 0) out[m / 2] = line[m];
  return out;
}

Line Join(const std::vector<Line>& matrix, const Line& line) {
  const size_t m = matrix.size(), odd = line.size() - m;
  Line out(line.size(), 0.0);
  for (size_t i = 0; i < m; ++i) {
    const size_t from = i < m / 2 ? i : i + odd;
    for (size_t j = 0; j < m; ++j) out[j] += matrix[i][j] * line[from];
  }
  if (odd > 0) out[m] = line[m / 2];
  return out;
}

using Extents = std::array<int64_t, 3>;

// Every line of a box at the volume's origin along one axis, from `start` on.
void Along(Volume& v, const Extents& box, size_t axis, int64_t start, int degree, bool split) {
  const int64_t n = box[axis];
  if (n < 2) return;
  const std::vector<Line> matrix = Matrix(degree, n / 2 * 2);
  Extents others = box;
  others[axis] = 1;
  for (int64_t a = 0; a < others[0]; ++a)
    for (int64_t b = 0; b < others[1]; ++b)
      for (int64_t c = 0; c < others[2]; ++c) {
        const auto place = [&](int64_t i) -> double& {
          Extents at{a, b, c};
          at[axis] = i;
          return v.at(at[0], at[1], at[2]);
        };
        Line line(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) line[static_cast<size_t>(i)] = place(split ? (start + i) % n : i);
        line = split ? Split(matrix, line) : Join(matrix, line);
        for (int64_t i = 0; i < n; ++i) place(split ? i : (start + i) % n) = line[static_cast<size_t>(i)];
      }
}

}  // namespace

Shrunk ShrinkWavelets(const Volume& x, int degree, int scales, double threshold, const Extents& start) {
  Shrunk result{x};
  Volume& v = result.volume;
  std::vector<Extents> boxes{{v.nz, v.ny, v.nx}};
  for (int k = 1; k <= scales; ++k) {
    Extents next = boxes.back();
    for (int64_t& n : next) n = n - n / 2;
    boxes.push_back(next);
  }
  const auto scale = [&](int k, bool split) {
    for (size_t axis = 0; axis < 3; ++axis) {
      Along(v, boxes[static_cast<size_t>(k)], axis, k == 0 ? start[axis] : 0, degree, split);
    }
  };
  for (int k = 0; k < scales; ++k) scale(k, true);
  const Extents& coarse = boxes.back();
  for (int64_t a = 0; a < v.nz; ++a)
    for (int64_t b = 0; b < v.ny; ++b)
      for (int64_t c = 0; c < v.nx; ++c) {
        if (a < coarse[0] && b < coarse[1] && c < coarse[2]) continue;
        double& value = v.at(a, b, c);
        value = std::copysign(std::max(std::abs(value) - threshold, 0.0), value);
        result.magnitudes += std::abs(value);
      }
  for (int k = scales; k-- > 0;) scale(k, false);
  return result;
}

}  // namespace deconvoy::reference
