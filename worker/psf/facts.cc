#include "worker/psf/facts.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace deconvoy::worker {
namespace {

using Line = std::vector<double>;

// How far from voxel `peak` the line falls to half of its value there, towards larger (step 1) or smaller indices (-1).
double HalfWidth(const Line& line, int64_t peak, int64_t step) {
  const double half = line[static_cast<size_t>(peak)] / 2;
  double before = line[static_cast<size_t>(peak)];
  for (int64_t i = peak + step;; i += step) {
    const bool inside = i >= 0 && i < static_cast<int64_t>(line.size());
    const double here = inside ? line[static_cast<size_t>(i)] : 0;
    if (here < half) return static_cast<double>(std::abs(i - peak)) - (half - here) / (before - here);
    before = here;
  }
}

// The sum over j of line(j) exp(-2 pi i k (j - centre)), k in cycles per voxel.
std::complex<double> Transform(const Line& line, int64_t centre, double k) {
  std::complex<double> sum = 0;
  for (size_t j = 0; j < line.size(); ++j) {
    sum += line[j] * std::polar(1.0, -2 * std::numbers::pi * k * static_cast<double>(static_cast<int64_t>(j) - centre));
  }
  return sum;
}

double LeastReal(const Line& line, int64_t centre) {
  const auto steps = static_cast<int64_t>(line.size());  // of which several fall into each wave of the transform
  double least = 1;
  for (int64_t i = 0; i <= steps; ++i) {
    least = std::min(least, Transform(line, centre, 0.5 * static_cast<double>(i) / static_cast<double>(steps)).real());
  }
  return least;
}

// `through`: the PSF along the axis through its maximum at `peak`; `total`: summed over the other axes.
PsfAxis MeasureAxis(const Line& through, int64_t peak, const Line& total, int64_t centre) {
  PsfAxis axis;
  axis.fwhm = HalfWidth(through, peak, 1) + HalfWidth(through, peak, -1);
  axis.at_cutoff = std::abs(Transform(total, centre, axis.cutoff()));
  axis.at_half_cutoff = std::abs(Transform(total, centre, axis.cutoff() / 2));
  axis.least_real = LeastReal(total, centre);
  return axis;
}

// The lines through the maximum along z, y and x, and its place on each.
struct Profiles {
  std::array<Line, 3> line;
  std::array<int64_t, 3> peak;
};

Profiles ThroughPeak(std::span<const float> values, const Shape3& shape) {
  const int64_t peak = std::max_element(values.begin(), values.end()) - values.begin();
  const std::array<int64_t, 3> extents = {shape.z, shape.y, shape.x}, strides = {shape.y * shape.x, shape.x, 1};
  Profiles profiles;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t place = peak / strides[axis] % extents[axis], first = peak - place * strides[axis];
    profiles.peak[axis] = place;
    for (int64_t i = 0; i < extents[axis]; ++i) {
      profiles.line[axis].push_back(static_cast<double>(values[static_cast<size_t>(first + i * strides[axis])]));
    }
  }
  return profiles;
}

}  // namespace

std::array<double, 3> WidthsAtHalf(std::span<const float> values, const Shape3& shape) {
  const Profiles lines = ThroughPeak(values, shape);
  std::array<double, 3> widths;
  for (size_t axis = 0; axis < 3; ++axis) {
    widths[axis] = HalfWidth(lines.line[axis], lines.peak[axis], 1) + HalfWidth(lines.line[axis], lines.peak[axis], -1);
  }
  return widths;
}

PsfFacts MeasurePsf(std::span<const float> values, const Shape3& shape, const Voxel& centre) {
  const auto extent = [](int64_t n) { return Line(static_cast<size_t>(n)); };
  Line total_z = extent(shape.z), total_y = extent(shape.y), total_x = extent(shape.x);
  double alternating = 0;
  const auto value = [&](int64_t z, int64_t y, int64_t x) -> double {
    return values[static_cast<size_t>((z * shape.y + y) * shape.x + x)];
  };
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const double v = value(z, y, x);
        alternating += (z + y + x) % 2 == 0 ? v : -v;
        total_z[static_cast<size_t>(z)] += v;
        total_y[static_cast<size_t>(y)] += v;
        total_x[static_cast<size_t>(x)] += v;
      }
    }
  }
  const Profiles lines = ThroughPeak(values, shape);
  return {{MeasureAxis(lines.line[0], lines.peak[0], total_z, centre.z),
           MeasureAxis(lines.line[1], lines.peak[1], total_y, centre.y),
           MeasureAxis(lines.line[2], lines.peak[2], total_x, centre.x)},
          std::abs(alternating)};
}

}  // namespace deconvoy::worker
