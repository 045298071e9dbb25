#include "worker/imaging/shift.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <utility>

namespace deconvoy::worker {
namespace {

constexpr int64_t kMostBins = 128;
constexpr double kCutoff = 0.15;  // cycles per bin

using Complex = std::complex<double>;

int64_t PowerOfTwo(int64_t n) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n)));
}

// low, high = low + w high, low - w high of `count` columns, w of this cosine and sine.
void Butterflies(Complex* low, Complex* high, size_t count, double cosine, double sine) {
  auto* const l = reinterpret_cast<double*>(low);  // real and imaginary parts in turn
  auto* const h = reinterpret_cast<double*>(high);
  for (size_t x = 0; x < 2 * count; x += 2) {
    const double real = cosine * h[x] - sine * h[x + 1], imaginary = cosine * h[x + 1] + sine * h[x];
    h[x] = l[x] - real;
    h[x + 1] = l[x + 1] - imaginary;
    l[x] += real;
    l[x + 1] += imaginary;
  }
}

// Radix 2 along y, in place, of all columns side by side; not scaled. `sign` -1: forward.
void TransformColumns(std::span<Complex> values, size_t height, size_t width, double sign) {
  const auto row = [&](size_t y) { return values.data() + y * width; };
  for (size_t i = 1, j = 0; i < height; ++i) {
    size_t bit = height >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap_ranges(row(i), row(i) + width, row(j));
  }
  for (size_t length = 2; length <= height; length *= 2) {
    for (size_t i = 0; i < length / 2; ++i) {
      const double angle = sign * 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length);
      const double cosine = std::cos(angle), sine = std::sin(angle);
      for (size_t y = i; y < height; y += length) Butterflies(row(y), row(y + length / 2), width, cosine, sine);
    }
  }
}

// Turns the y,x order into x,y.
void Transpose(std::span<const Complex> values, size_t height, size_t width, std::span<Complex> turned) {
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) turned[x * height + y] = values[y * width + x];
  }
}

// Along y and x; not scaled.
void Transform(std::vector<Complex>& values, int64_t height, int64_t width, double sign) {
  const auto rows = static_cast<size_t>(height), columns = static_cast<size_t>(width);
  std::vector<Complex> turned(values.size());
  TransformColumns(values, rows, columns, sign);
  Transpose(values, rows, columns, turned);
  TransformColumns(turned, columns, rows, sign);
  Transpose(turned, columns, rows, values);
}

std::vector<double> Hann(int64_t n) {
  std::vector<double> window(static_cast<size_t>(n));
  for (size_t i = 0; i < window.size(); ++i) {
    window[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(n));
  }
  return window;
}

// In cycles per bin.
double Frequency(int64_t k, int64_t n) {
  return static_cast<double>(k < n / 2 ? k : k - n) / static_cast<double>(n);
}

// The weights of the frequencies along an axis.
std::vector<double> LowPass(int64_t n) {
  std::vector<double> weights;
  for (int64_t k = 0; k < n; ++k) {
    const double f = Frequency(k, n);
    weights.push_back(std::exp(-f * f / (kCutoff * kCutoff)));
  }
  return weights;
}

// exp(2 pi i f shift) of the frequencies f along an axis, weighted.
std::vector<Complex> ShiftFactors(std::span<const double> weights, double shift) {
  const auto n = static_cast<int64_t>(weights.size());
  std::vector<Complex> factors;
  for (int64_t k = 0; k < n; ++k) {
    factors.push_back(std::polar(weights[static_cast<size_t>(k)], 2 * std::numbers::pi * Frequency(k, n) * shift));
  }
  return factors;
}

// Between -1/2 and 1/2: where the Gaussian through three values has its maximum.
double PeakOf(double before, double here, double after) {
  if (!(before > 0 && here > 0 && after > 0)) return 0;
  const double a = std::log(before), b = std::log(here), c = std::log(after), curve = a - 2 * b + c;
  return curve < 0 ? std::clamp((a - c) / (2 * curve), -0.5, 0.5) : 0;
}

}  // namespace

ShiftFinder::ShiftFinder(int64_t rows, int64_t columns)
    : rows_(rows),
      columns_(columns),
      bin_(std::max<int64_t>(std::max(rows, columns) / kMostBins, 1)),
      height_(std::min(PowerOfTwo(std::max<int64_t>(rows / bin_, 1)), kMostBins)),
      width_(std::min(PowerOfTwo(std::max<int64_t>(columns / bin_, 1)), kMostBins)),
      window_y_(Hann(height_)),
      window_x_(Hann(width_)),
      low_pass_y_(LowPass(height_)),
      low_pass_x_(LowPass(width_)),
      image_(static_cast<size_t>(height_ * width_)) {}

void ShiftFinder::Add(std::span<const float> plane) {
  const int64_t top = (rows_ - height_ * bin_) / 2, left = (columns_ - width_ * bin_) / 2;
  for (int64_t y = 0; y < height_ * bin_; ++y) {
    const float* const row = plane.data() + (top + y) * columns_ + left;
    double* const target = image_.data() + y / bin_ * width_;
    for (int64_t x = 0; x < width_; ++x) {
      double sum = 0;
      for (int64_t i = 0; i < bin_; ++i) sum += row[x * bin_ + i];
      target[x] += sum;
    }
  }
}

void ShiftFinder::AddBins(std::span<const float> bins) {
  for (size_t i = 0; i < bins.size(); ++i) image_[i] += static_cast<double>(bins[i]);
}

std::optional<Shift> ShiftFinder::Next() {
  const double mean = std::accumulate(image_.begin(), image_.end(), 0.0) / static_cast<double>(image_.size());
  Spectrum spectrum(image_.size());
  double light = 0;
  size_t i = 0;
  for (const double along_y : window_y_) {
    for (const double along_x : window_x_) {
      const double value = (image_[i] - mean) * along_y * along_x;
      spectrum[i] = value;
      light += value * value;
      image_[i++] = 0;
    }
  }
  if (!(light > 0) || !std::isfinite(light)) {
    before_.clear();
    return std::nullopt;
  }
  Transform(spectrum, height_, width_, -1);
  std::swap(before_, spectrum);
  if (first_.empty()) first_ = before_;
  if (spectrum.empty()) return std::nullopt;
  return Between(spectrum, before_);
}

std::optional<Shift> ShiftFinder::SinceFirst() const {
  if (before_.empty()) return std::nullopt;
  return Between(first_, before_);
}

Shift ShiftFinder::Between(const Spectrum& before, const Spectrum& after) const {
  Spectrum cross(before.size());
  size_t i = 0;
  for (const double along_y : low_pass_y_) {
    for (const double along_x : low_pass_x_) {
      const Complex product = after[i] * std::conj(before[i]);
      const double size = std::sqrt(std::norm(product));
      if (size > 0) cross[i] = product * (along_y * along_x / size);
      ++i;
    }
  }
  Transform(cross, height_, width_, 1);
  size_t peak = 0;
  double squares = 0;
  for (size_t place = 0; place < cross.size(); ++place) {
    if (cross[place].real() > cross[peak].real()) peak = place;
    squares += cross[place].real() * cross[place].real();
  }
  const int64_t y = static_cast<int64_t>(peak) / width_, x = static_cast<int64_t>(peak) % width_;
  const auto at = [&](int64_t v, int64_t u) {
    return cross[static_cast<size_t>((v + height_) % height_ * width_ + (u + width_) % width_)].real();
  };
  const double here = at(y, x), scale = static_cast<double>(bin_);
  const auto whole = [](int64_t k, int64_t n) { return static_cast<double>(k < n / 2 ? k : k - n); };
  const double down = whole(y, height_) + PeakOf(at(y - 1, x), here, at(y + 1, x));
  const double right = whole(x, width_) + PeakOf(at(y, x - 1), here, at(y, x + 1));
  return {.y = scale * down,
          .x = scale * right,
          .certainty = here / std::sqrt(squares / static_cast<double>(cross.size())),
          .alike = Alike(before, after, down, right),
          .alike_at_rest = Alike(before, after, 0, 0)};
}

double ShiftFinder::Alike(const Spectrum& before, const Spectrum& after, double y, double x) const {
  const std::vector<Complex> rows = ShiftFactors(low_pass_y_, y), columns = ShiftFactors(low_pass_x_, x);
  double product = 0, square_before = 0, square_after = 0;
  size_t i = 0;
  for (size_t v = 0; v < rows.size(); ++v) {
    for (size_t u = 0; u < columns.size(); ++u, ++i) {
      const double weight = low_pass_y_[v] * low_pass_x_[u];
      product += (after[i] * std::conj(before[i]) * (rows[v] * columns[u])).real();
      square_before += weight * std::norm(before[i]);
      square_after += weight * std::norm(after[i]);
    }
  }
  return product / std::sqrt(square_before * square_after);
}

bool ShiftFinder::IsSure(const Shift& shift) {
  constexpr double kRounding = 0.01;  // of a shift that is known to a tenth of a bin
  return shift.certainty > kCertain && shift.alike > shift.alike_at_rest - kRounding;
}

}  // namespace deconvoy::worker
