#include "worker/imaging/light.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "worker/imaging/lanes.h"
#include "worker/imaging/robust_fit.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLeastPlanes = 8;    // of which bleaching can be told
constexpr int64_t kLeastSeries = 9;    // of which flicker can be told
constexpr int64_t kLeastForCurve = 8;  // time points
constexpr int64_t kReach = 4;          // planes, of the parabola that flicker is told from
constexpr double kDim = 0.05;          // light below this share of the median is not trusted
constexpr double kDeviationOfMad = 1.4826;
constexpr double kBiweight = 4.685;    // spreads beyond which a plane does not count for others
constexpr double kLeastSpread = 1e-3;  // relative: light is not known better
constexpr int kRounds = 6;
const double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Logarithms of light; not a number where it is too little.
std::vector<double> Logarithms(const LightSeries& series) {
  std::vector<double> known;
  for (const double v : series.light) {
    if (v > 0) known.push_back(v);
  }
  const double least = kDim * MedianOf(known);
  std::vector<double> logs;
  for (const double v : series.light) logs.push_back(v > least && v > 0 ? std::log(v) : kUnknown);
  return logs;
}

struct Points {
  std::vector<double> x, y;

  void Add(double at, double value) {
    if (!std::isfinite(value)) return;
    x.push_back(at);
    y.push_back(value);
  }
  size_t size() const { return x.size(); }
};

double MedianOfKnown(std::vector<double> values) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  return values.empty() ? kUnknown : MedianOf(values);
}

// Element (t, z) of values in t,z order, along the axis other than the fixed one.
std::vector<double> OverTime(const LightSeries& series, const std::vector<double>& values, int64_t z) {
  std::vector<double> line;
  for (int64_t t = 0; t < series.frames; ++t) line.push_back(values[static_cast<size_t>(t * series.planes + z)]);
  return line;
}

std::vector<double> OverPlanes(const LightSeries& series, const std::vector<double>& values, int64_t t) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(t * series.planes);
  return {begin, begin + static_cast<std::ptrdiff_t>(series.planes)};
}

// Takes from each plane its median over time.
std::vector<double> WithoutShape(const LightSeries& series, std::vector<double> logs) {
  for (int64_t z = 0; z < series.planes; ++z) {
    const double usual = MedianOfKnown(OverTime(series, logs, z));
    for (int64_t t = 0; t < series.frames; ++t) logs[static_cast<size_t>(t * series.planes + z)] -= usual;
  }
  return logs;
}

// Of each time point, in the middle of its planes.
Points TimePoints(const LightSeries& series, const std::vector<double>& logs) {
  const std::vector<double> level = WithoutShape(series, logs);
  const double middle = static_cast<double>(series.planes - 1) / static_cast<double>(2 * series.planes);
  Points points;
  for (int64_t t = 0; t < series.frames; ++t) {
    points.Add(static_cast<double>(t) + middle, MedianOfKnown(OverPlanes(series, level, t)));
  }
  return points;
}

Points PlanesOfStack(const LightSeries& series, const std::vector<double>& logs) {
  Points points;
  for (int64_t z = 0; z < series.planes; ++z) {
    points.Add(static_cast<double>(z) / static_cast<double>(series.planes), logs[static_cast<size_t>(z)]);
  }
  return points;
}

// A series of logarithms less the parabola through each one's neighbours, each of which counts by its weight.
std::vector<double> Deviations(const std::vector<double>& line, const std::vector<double>& weights) {
  const auto n = static_cast<int64_t>(line.size());
  std::vector<double> deviations(line.size(), kUnknown);
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> x, y, w;
    const int64_t first = std::clamp<int64_t>(i - kReach, 0, std::max<int64_t>(n - 2 * kReach - 1, 0));
    for (int64_t k = first; k <= std::min(first + 2 * kReach, n - 1); ++k) {
      const auto at = static_cast<size_t>(k);
      if (!std::isfinite(line[at])) continue;
      x.push_back(static_cast<double>(k - i) / kReach);
      y.push_back(line[at]);
      w.push_back(weights[at]);
    }
    const std::optional<Polynomial> fit = FitPolynomial(x, y, w, 2);
    if (fit) deviations[static_cast<size_t>(i)] = line[static_cast<size_t>(i)] - fit->At(0);
  }
  return deviations;
}

double Weight(double deviation, double spread) {
  const double u = deviation / (kBiweight * spread);
  return u * u < 1 ? (1 - u * u) * (1 - u * u) : 0;
}

// The deviations of all lines. Those that deviate most do not count for the parabolas of others.
std::vector<std::vector<double>> RobustDeviations(const std::vector<std::vector<double>>& lines, double& spread) {
  std::vector<std::vector<double>> deviations;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> sizes;
    const std::vector<std::vector<double>> before = std::move(deviations);
    deviations.clear();
    for (size_t i = 0; i < lines.size(); ++i) {
      std::vector<double> weights(lines[i].size(), 1.0);
      for (size_t k = 0; round > 0 && k < weights.size(); ++k) weights[k] = Weight(before[i][k], spread);
      deviations.push_back(Deviations(lines[i], weights));
      for (const double v : deviations.back()) {
        if (std::isfinite(v)) sizes.push_back(std::abs(v));
      }
    }
    spread = std::max(kDeviationOfMad * MedianOf(sizes), kLeastSpread);
  }
  return deviations;
}

// Squares of second and fourth differences: of white noise of variance 1 their means are 6 and 70.
void AddDifferences(const std::vector<double>& line, std::vector<double>& second, std::vector<double>& fourth) {
  for (size_t i = 2; i + 2 < line.size(); ++i) {
    const double d2 = line[i - 1] - 2 * line[i] + line[i + 1];
    const double d4 = line[i - 2] - 4 * line[i - 1] + 6 * line[i] - 4 * line[i + 1] + line[i + 2];
    if (!std::isfinite(d4)) continue;
    second.push_back(d2 * d2 / 6);
    fourth.push_back(d4 * d4 / 70);
  }
}

}  // namespace

double MeanOfCounted(std::span<const float> photons, std::span<const float> m) {
  std::array<double, kLanes> sums{};
  int64_t voxels = 0;
  for (size_t i = 0; i < photons.size(); ++i) {
    if (!m.empty() && m[i] == 0) continue;
    sums[i % kLanes] += photons[i];
    ++voxels;
  }
  return voxels > 0 ? PairwiseSum(sums) / static_cast<double>(voxels) : 0;
}

std::optional<Bleaching> FitBleaching(const LightSeries& series) {
  const std::vector<double> logs = Logarithms(series);
  Bleaching bleaching{.over_time = series.frames > 1};
  const Points points = bleaching.over_time ? TimePoints(series, logs) : PlanesOfStack(series, logs);
  if (static_cast<int64_t>(points.size()) < (bleaching.over_time ? 2 : kLeastPlanes)) return std::nullopt;
  const int degree = bleaching.over_time && static_cast<int64_t>(points.size()) >= kLeastForCurve ? 2 : 1;
  const std::optional<RobustFit> fit = FitRobustly(points.x, points.y, degree);
  if (!fit) return std::nullopt;
  const double first = fit->polynomial.At(0);
  for (int64_t i = 0; i < series.frames * series.planes; ++i) {
    const double when = static_cast<double>(i) / static_cast<double>(series.planes);
    bleaching.factor.push_back(static_cast<float>(std::exp(fit->polynomial.At(when) - first)));
  }
  bleaching.last = bleaching.factor.back();
  bleaching.spread = fit->spread;
  return bleaching;
}

std::optional<Flicker> FitFlicker(const LightSeries& series) {
  std::vector<double> logs = Logarithms(series);
  if (series.frames >= 3) logs = WithoutShape(series, std::move(logs));
  const bool along_z = series.planes >= kLeastSeries;
  if (!along_z && series.frames < kLeastSeries) return std::nullopt;
  std::vector<std::vector<double>> lines;
  std::vector<double> second, fourth;
  for (int64_t i = 0; i < (along_z ? series.frames : series.planes); ++i) {
    lines.push_back(along_z ? OverPlanes(series, logs, i) : OverTime(series, logs, i));
    AddDifferences(lines.back(), second, fourth);
  }
  if (fourth.size() < 5) return std::nullopt;
  Flicker flicker;
  flicker.factor.assign(logs.size(), 1.0F);
  const std::vector<std::vector<double>> deviations = RobustDeviations(lines, flicker.deviation);
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t k = 0; k < lines[i].size(); ++k) {
      if (!std::isfinite(deviations[i][k])) continue;
      const size_t planes = static_cast<size_t>(series.planes), at = along_z ? i * planes + k : k * planes + i;
      flicker.factor[at] = static_cast<float>(std::exp(deviations[i][k]));
    }
  }
  const double smooth = MedianOf(second);
  flicker.whiteness = smooth > 0 ? MedianOf(fourth) / smooth : 0;
  return flicker;
}

std::optional<DepthLoss> FitDepthLoss(const LightSeries& series) {
  if (series.frames < 3 || series.planes < kLeastPlanes) return std::nullopt;
  const std::vector<double> logs = Logarithms(series);
  Points points;
  for (int64_t z = 0; z < series.planes; ++z) {
    points.Add(static_cast<double>(z) / static_cast<double>(series.planes - 1),
               MedianOfKnown(OverTime(series, logs, z)));
  }
  if (static_cast<int64_t>(points.size()) < kLeastPlanes) return std::nullopt;
  const std::optional<RobustFit> fit = FitRobustly(points.x, points.y, 1);
  if (!fit) return std::nullopt;
  return DepthLoss{std::exp(fit->polynomial.At(1) - fit->polynomial.At(0)), fit->spread};
}

}  // namespace deconvoy::worker
