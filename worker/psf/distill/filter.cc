#include "worker/psf/distill/filter.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace deconvoy::worker {
namespace {

// Hartley's transform, its own inverse: all factors are even along each axis, so that it serves as Fourier's does.
class Hartley {
 public:
  explicit Hartley(int64_t n) : n_(n) {
    for (int64_t i = 0; i < n; ++i) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
      wave_.push_back((std::cos(angle) + std::sin(angle)) / std::sqrt(static_cast<double>(n)));
    }
  }

  // All lines of n values `stride` apart.
  void Apply(int64_t stride, std::vector<double>& values) const {
    std::vector<double> line(static_cast<size_t>(n_));
    const auto total = static_cast<int64_t>(values.size());
    for (int64_t first = 0; first < total; ++first) {
      if (first / stride % n_ != 0) continue;
      for (int64_t i = 0; i < n_; ++i) line[static_cast<size_t>(i)] = values[static_cast<size_t>(first + i * stride)];
      for (int64_t k = 0; k < n_; ++k) {
        double sum = 0;
        int64_t turn = 0;  // i k modulo n
        for (const double value : line) {
          sum += value * wave_[static_cast<size_t>(turn)];
          turn += k;
          if (turn >= n_) turn -= n_;
        }
        values[static_cast<size_t>(first + k * stride)] = sum;
      }
    }
  }

 private:
  const int64_t n_;
  std::vector<double> wave_;
};

void Transform(const Shape3& shape, std::vector<double>& values) {
  Hartley(shape.x).Apply(1, values);
  Hartley(shape.y).Apply(shape.x, values);
  Hartley(shape.z).Apply(shape.x * shape.y, values);
}

// Cycles per voxel of the i-th frequency of n.
double Frequency(int64_t i, int64_t n) {
  return static_cast<double>(2 * i <= n ? i : i - n) / static_cast<double>(n);
}

double Ball(double q) {
  if (q < 1e-2) return 1 - q * q / 10;
  return 3 * (std::sin(q) - q * std::cos(q)) / (q * q * q);
}

// At the frequencies in cycles per voxel.
double Factor(const PsfFilter& filter, double z, double y, double x) {
  const double squares = z * z + y * y + x * x;
  double factor = std::exp(-2 * std::numbers::pi * std::numbers::pi * filter.smoothing * filter.smoothing * squares);
  if (filter.bead_um > 0) {
    const double k = std::hypot(z / filter.z_um, y / filter.y_um, x / filter.x_um);
    const double ball = Ball(std::numbers::pi * filter.bead_um * k);
    factor *= (1 + filter.floor) * ball / (ball * ball + filter.floor);
  }
  return factor;
}

}  // namespace

void FilterPsf(const PsfFilter& filter, const Shape3& shape, std::vector<float>& psf) {
  std::vector<double> values(psf.begin(), psf.end());
  Transform(shape, values);
  size_t at = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        values[at++] *= Factor(filter, Frequency(z, shape.z), Frequency(y, shape.y), Frequency(x, shape.x));
      }
    }
  }
  Transform(shape, values);
  for (size_t i = 0; i < psf.size(); ++i) psf[i] = static_cast<float>(values[i]);
}

}  // namespace deconvoy::worker
