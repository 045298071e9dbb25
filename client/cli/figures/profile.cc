#include "client/cli/figures/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/cli/figures/planes.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr int64_t kMostWidth = 31;        // voxels
constexpr double kLeastProminence = 0.1;  // of the range

Point operator+(const Point& a, const Point& b) {
  return {a.z + b.z, a.y + b.y, a.x + b.x};
}
Point operator*(const Point& a, double f) {
  return {a.z * f, a.y * f, a.x * f};
}
double Length(const Point& a) {
  return std::sqrt(a.z * a.z + a.y * a.y + a.x * a.x);
}
Point Cross(const Point& a, const Point& b) {
  return {a.x * b.y - a.y * b.x, a.z * b.x - a.x * b.z, a.y * b.z - a.z * b.y};
}

bool Inside(const Point& p, const Shape5& s) {
  const auto within = [](double v, int64_t n) { return v >= 0 && v <= static_cast<double>(n - 1); };
  return within(p.z, s.z) && within(p.y, s.y) && within(p.x, s.x);
}

absl::Status CheckLine(const imageio::ImageReader& image, const ProfileLine& line) {
  const Shape5 s = ShapeOf(image);
  const std::string& name = image.spec().display_name();
  if (line.t < 0 || line.t >= s.t || line.c < 0 || line.c >= s.c) {
    return MakeError({.reason = v1::INVALID_FIELD},
                     fmt::format("{} has {} time points and {} channels, counted from 0", name, s.t, s.c));
  }
  for (const Point& end : {line.from, line.to}) {
    if (Inside(end, s)) continue;
    return MakeError({.reason = v1::INVALID_FIELD,
                      .remedy = fmt::format("Give voxels from 0,0,0 to {},{},{} (z,y,x).", s.z - 1, s.y - 1, s.x - 1)},
                     fmt::format("the line's end at {:g},{:g},{:g} lies outside {}", end.z, end.y, end.x, name));
  }
  if (Length(line.to + line.from * -1) == 0)
    return MakeError({.reason = v1::INVALID_FIELD}, "a line needs two ends that differ");
  if (line.width < 1 || line.width > kMostWidth || line.width % 2 == 0) {
    return MakeError({.reason = v1::INVALID_FIELD},
                     fmt::format("a profile's width is an odd number of voxels from 1 to {}", kMostWidth));
  }
  return absl::OkStatus();
}

// Where a profile is sampled: points beside one another belong to one sample.
struct Samples {
  int64_t count = 0, beside = 0;
  std::vector<Point> points;
};

Samples PlaceSamples(const ProfileLine& line) {
  const Point whole = line.to + line.from * -1;
  const double length = Length(whole);
  const Point along = whole * (1 / length);
  // The axis that the line follows least gives directions that lie along axes wherever the line does.
  const double z = std::abs(along.z), y = std::abs(along.y), x = std::abs(along.x);
  const Point other = x <= y && x <= z ? Point{0, 0, 1} : y <= z ? Point{0, 1, 0} : Point{1, 0, 0};
  const Point unscaled = Cross(along, other), u = unscaled * (1 / Length(unscaled)), v = Cross(along, u);
  Samples samples{
      .count = std::max<int64_t>(std::llround(length), 1) + 1, .beside = line.width * line.width, .points = {}};
  const int64_t reach = line.width / 2;
  for (int64_t i = 0; i < samples.count; ++i) {
    const Point at = line.from + whole * (static_cast<double>(i) / static_cast<double>(samples.count - 1));
    for (int64_t a = -reach; a <= reach; ++a) {
      for (int64_t b = -reach; b <= reach; ++b)
        samples.points.push_back(at + u * static_cast<double>(a) + v * static_cast<double>(b));
    }
  }
  return samples;
}

// The plane's value at y, x. REQUIRES: inside it.
double Interpolate(const std::vector<double>& plane, const Shape5& s, double y, double x) {
  const auto y0 = std::min(static_cast<int64_t>(y), s.y - 1), x0 = std::min(static_cast<int64_t>(x), s.x - 1);
  const int64_t y1 = std::min(y0 + 1, s.y - 1), x1 = std::min(x0 + 1, s.x - 1);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  const auto at = [&](int64_t row, int64_t column) { return plane[static_cast<size_t>(row * s.x + column)]; };
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
}

double StepUm(const v1::VoxelSize& size, const Point& step) {
  if (size.z_um() <= 0 && step.z == 0 && size.x_um() > 0 && size.y_um() > 0)
    return Length({0, step.y * size.y_um(), step.x * size.x_um()});
  if (size.z_um() <= 0 || size.y_um() <= 0 || size.x_um() <= 0) return 0;
  return Length({step.z * size.z_um(), step.y * size.y_um(), step.x * size.x_um()});
}

// Where the values fall below `level` going from `peak` in `direction`, between two samples; none before the end or a
// higher peak.
std::optional<double> Crossing(const std::vector<double>& values, int64_t peak, int64_t direction, double level) {
  const auto size = static_cast<int64_t>(values.size());
  for (int64_t i = peak; i + direction >= 0 && i + direction < size; i += direction) {
    const double here = values[static_cast<size_t>(i)], next = values[static_cast<size_t>(i + direction)];
    if (next > values[static_cast<size_t>(peak)]) break;
    if (next > level) continue;
    return static_cast<double>(i) + static_cast<double>(direction) * (here - level) / (here - next);
  }
  return std::nullopt;
}

// The lowest value from `peak` on up to a higher one or the end.
double LowestBeside(const std::vector<double>& values, int64_t peak, int64_t direction) {
  const double height = values[static_cast<size_t>(peak)];
  double lowest = height;
  for (int64_t i = peak; i >= 0 && i < static_cast<int64_t>(values.size()); i += direction) {
    const double value = values[static_cast<size_t>(i)];
    if (value > height) break;
    lowest = std::min(lowest, value);
  }
  return lowest;
}

}  // namespace

absl::StatusOr<Profile> SampleProfile(imageio::ImageReader& image, const ProfileLine& line) {
  RETURN_IF_ERROR(CheckLine(image, line));
  const Samples samples = PlaceSamples(line);
  const Shape5 shape = ShapeOf(image);
  const auto count = static_cast<size_t>(samples.count);
  std::vector<double> sums(count), weights(count);
  PlaneReader planes(image);
  for (int64_t z = 0; z < shape.z; ++z) {
    const std::vector<double>* plane = nullptr;
    for (size_t i = 0; i < samples.points.size(); ++i) {
      const Point& p = samples.points[i];
      const double share = 1 - std::abs(p.z - static_cast<double>(z));
      if (share <= 0 || !Inside(p, shape)) continue;
      if (plane == nullptr) {
        ASSIGN_OR_RETURN(plane, planes.Read(line.t, line.c, z));
      }
      const size_t sample = i / static_cast<size_t>(samples.beside);
      sums[sample] += share * Interpolate(*plane, shape, p.y, p.x);
      weights[sample] += share;
    }
  }
  const Point step = (line.to + line.from * -1) * (1 / static_cast<double>(samples.count - 1));
  Profile profile{.step = Length(step), .step_um = StepUm(image.spec().voxel_size(), step), .values = {}};
  for (size_t i = 0; i < count; ++i) profile.values.push_back(sums[i] / weights[i]);
  return profile;
}

absl::StatusOr<Voxel> BrightestVoxel(imageio::ImageReader& image, int64_t t, int64_t c) {
  const Shape5 shape = ShapeOf(image);
  PlaneReader planes(image);
  Voxel brightest;
  std::optional<double> most;
  for (int64_t z = 0; z < shape.z; ++z) {
    ASSIGN_OR_RETURN(const std::vector<double>* plane, planes.Read(t, c, z));
    const auto found = std::max_element(plane->begin(), plane->end());
    if (most && *found <= *most) continue;
    most = *found;
    brightest = {z, (found - plane->begin()) / shape.x, (found - plane->begin()) % shape.x};
  }
  return brightest;
}

std::vector<Peak> FindPeaks(const std::vector<double>& values) {
  std::vector<Peak> peaks;
  if (values.size() < 3) return peaks;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = kLeastProminence * (*high - *low);
  for (size_t i = 0; i < values.size(); ++i) {
    const bool rises = i == 0 || values[i] > values[i - 1];
    size_t last = i;
    while (last + 1 < values.size() && values[last + 1] == values[i]) ++last;
    const bool falls = last + 1 == values.size() || values[last + 1] < values[i];
    if (!rises || !falls) continue;
    const auto at = static_cast<int64_t>(i);
    Peak peak;
    peak.position = static_cast<double>(i + last) / 2;
    peak.height = values[i];
    const double before = LowestBeside(values, at, -1), behind = LowestBeside(values, at, 1);
    peak.baseline = std::min(before, behind);
    // A maximum at an end has nothing on one side: what lies on the other counts.
    const bool at_end = i == 0 || last + 1 == values.size();
    if (peak.height - (at_end ? peak.baseline : std::max(before, behind)) <= least) continue;
    const double half = (peak.height + peak.baseline) / 2;
    const auto left = Crossing(values, at, -1, half), right = Crossing(values, at, 1, half);
    if (left && right) peak.fwhm = *right - *left;
    peaks.push_back(peak);
  }
  return peaks;
}

std::vector<Dip> FindDips(const std::vector<double>& values, const std::vector<Peak>& peaks) {
  std::vector<Dip> dips;
  const double floor = values.empty() ? 0 : *std::min_element(values.begin(), values.end());
  for (size_t i = 0; i + 1 < peaks.size(); ++i) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(peaks[i].position);
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(peaks[i + 1].position);
    const double lower = std::min(peaks[i].height, peaks[i + 1].height);
    dips.push_back({i, 1 - (*std::min_element(first, last) - floor) / (lower - floor)});
  }
  return dips;
}

}  // namespace deconvoy::client
