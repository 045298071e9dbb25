#include "worker/psf/optics_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace deconvoy::worker {
namespace {

using Axes = std::array<std::optional<double>, 3>;
using Line = std::vector<double>;

constexpr double kFitted = 0.3;  // of the maximum, the least that is fitted
constexpr double kBroad = 1.3, kBroadAlongZ = 1.7, kNarrow = 0.75;
constexpr double kSparse = 2, kSparseAlongZ = 2.5;
constexpr double kAlike = 1.25;       // factors of the axes that differ by less are taken for one
constexpr int64_t kLeastExtent = 5;   // of an axis along which a width is compared
constexpr double kLeastVoxels = 1.2;  // of an expected width that a fit can tell
constexpr double kMostPeriods = 2;    // the shortest ones, in a voxel that can show a width
constexpr int kReach = 2;             // of the computed PSF, in expected widths to both sides
constexpr int64_t kMostReach = 100;   // voxels
constexpr std::array<const char*, 3> kNames = {"z", "y", "x"};

// In voxels; nothing where fewer than three voxels stand out, or at the box's border.
std::optional<double> Width(const Line& line) {
  const auto peak = std::max_element(line.begin(), line.end()) - line.begin();
  const auto size = static_cast<std::ptrdiff_t>(line.size());
  if (peak == 0 || peak + 1 >= size) return std::nullopt;
  const double most = line[static_cast<size_t>(peak)];
  const auto above = [&](std::ptrdiff_t i) { return line[static_cast<size_t>(i)] >= kFitted * most; };
  std::ptrdiff_t begin = peak - 1, end = peak + 1;  // at least three voxels, the last one included
  while (begin > 0 && above(begin) && above(begin - 1)) --begin;
  while (end + 1 < size && above(end) && above(end + 1)) ++end;
  // Sums of w d^k and w d^k ln v, with d the distance from the peak and w = v^2.
  std::array<double, 5> moments{};
  std::array<double, 3> logs{};
  for (std::ptrdiff_t i = begin; i <= end; ++i) {
    const double value = std::max(line[static_cast<size_t>(i)] / most, 1e-3);
    double power = value * value;
    for (size_t k = 0; k < moments.size(); ++k, power *= static_cast<double>(i - peak)) {
      moments[k] += power;
      if (k < logs.size()) logs[k] += power * std::log(value);
    }
  }
  const auto& m = moments;
  const double det =
      m[0] * (m[2] * m[4] - m[3] * m[3]) - m[1] * (m[1] * m[4] - m[3] * m[2]) + m[2] * (m[1] * m[3] - m[2] * m[2]);
  const double curvature = (m[0] * (m[2] * logs[2] - m[3] * logs[1]) - m[1] * (m[1] * logs[2] - m[3] * logs[0]) +
                            m[2] * (m[1] * logs[1] - m[2] * logs[0])) /
                           det;
  if (!(curvature < 0)) return std::nullopt;
  return 2 * std::sqrt(std::numbers::ln2 / -curvature);
}

// Along z, y, x through the maximum, in voxels.
Axes Widths(std::span<const float> values, const Shape3& shape) {
  const auto peak = std::max_element(values.begin(), values.end()) - values.begin();
  const std::array<int64_t, 3> extents = {shape.z, shape.y, shape.x};
  const std::array<int64_t, 3> strides = {shape.y * shape.x, shape.x, 1};
  const std::array<int64_t, 3> at = {peak / strides[0], peak / strides[1] % shape.y, peak % shape.x};
  Axes widths;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (extents[axis] < kLeastExtent) continue;
    const int64_t first = peak - at[axis] * strides[axis];
    Line line(static_cast<size_t>(extents[axis]));
    for (size_t i = 0; i < line.size(); ++i) {
      line[i] = values[static_cast<size_t>(first + static_cast<int64_t>(i) * strides[axis])];
    }
    widths[axis] = Width(line);
  }
  return widths;
}

struct Periods {
  double side_um, axial_um;  // shortest that the optics pass
};

Periods ShortestPeriods(const Microscope& microscope) {
  const Optics& optics = microscope.emission;
  double wavelength = optics.wavelength_um;
  if (microscope.excitation_um > 0 && microscope.kind != Microscopy::kWidefield &&
      microscope.kind != Microscopy::kLightSheet) {
    wavelength = microscope.excitation_um / (microscope.kind == Microscopy::kTwoPhoton ? 2 : 1);
  }
  const double n = optics.ri_immersion, na = std::min(optics.na, 0.999 * n);
  const double finer = microscope.kind == Microscopy::kSted ? std::sqrt(1 + microscope.saturation) : 1;
  return {wavelength / (2 * na) / finer, wavelength / (n - std::sqrt(n * n - na * na))};
}

// The widths that the optics give, in um: none where voxels are too large to show one, nor along z where planes are too
// far apart.
Axes ExpectedWidths(const Shape3& shape, const std::array<double, 3>& voxel_um, const Microscope& microscope,
                    const Periods& periods) {
  const double coarse_um = kMostPeriods * periods.side_um;
  if (voxel_um[1] > coarse_um || voxel_um[2] > coarse_um) return {};
  const bool planes = shape.z >= kLeastExtent && voxel_um[0] <= kMostPeriods * periods.axial_um;
  const auto reach = [](double um, double voxel) {
    return std::clamp(static_cast<int64_t>(std::ceil(kReach * um / voxel)), int64_t{2}, kMostReach);
  };
  const int64_t y = reach(periods.side_um, voxel_um[1]), x = reach(periods.side_um, voxel_um[2]);
  const int64_t z = planes ? reach(periods.axial_um, voxel_um[0]) : 0;
  const PsfGrid grid{
      .shape = {2 * z + 1, 2 * y + 1, 2 * x + 1}, .z_um = voxel_um[0], .y_um = voxel_um[1], .x_um = voxel_um[2]};
  Axes widths = Widths(MakePsf(microscope, grid, 1), grid.shape);
  for (size_t axis = 0; axis < 3; ++axis) {
    if (!widths[axis] || *widths[axis] < kLeastVoxels) {
      widths[axis].reset();
    } else {
      *widths[axis] *= voxel_um[axis];
    }
  }
  return widths;
}

// Measured over expected, along the axes where both are known.
Axes Ratios(const OpticsComparison& found) {
  Axes ratios;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (found.measured_um[axis] && found.expected_um[axis]) {
      ratios[axis] = *found.measured_um[axis] / *found.expected_um[axis];
    }
  }
  return ratios;
}

// A wrong voxel size or wavelength changes all axes alike.
std::optional<double> CommonFactor(const Axes& ratios) {
  if (!ratios[0] || !ratios[1] || !ratios[2]) return std::nullopt;
  const auto [least, most] = std::minmax({*ratios[0], *ratios[1], *ratios[2]});
  if (most > kAlike * least) return std::nullopt;
  return std::cbrt(*ratios[0] * *ratios[1] * *ratios[2]);
}

// The axis whose ratio exceeds its bound most; nothing where none does. `sign` is 1 for too large, -1 for too small.
std::optional<size_t> Worst(const Axes& ratios, const std::array<double, 3>& bounds, int sign) {
  std::optional<size_t> worst;
  double most = 0;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (!ratios[axis]) continue;
    const double beyond = sign * std::log(*ratios[axis] / bounds[axis]);
    if (beyond > most) most = beyond, worst = axis;
  }
  return worst;
}

std::string WidthText(const OpticsComparison& found, size_t axis, double ratio) {
  return fmt::format(
      "along {} its width at half maximum is {:.3g} um, {:.2f} times that of {:.3g} um which the optics "
      "give",
      kNames[axis], *found.measured_um[axis], ratio, *found.expected_um[axis]);
}

void CheckBroad(const OpticsComparison& found, const Axes& ratios, std::vector<PsfDefect>& defects) {
  const auto axis = Worst(ratios, {kBroadAlongZ, kBroad, kBroad}, 1);
  if (!axis) return;
  const double ratio = *ratios[*axis];
  const auto factor = CommonFactor(ratios);
  defects.push_back(
      {.name = "too_broad",
       .number = ratio,
       .message = WidthText(found, *axis, ratio) +
                  ": with a PSF that is too broad the result is sharper than the specimen, shrinks and doubles edges",
       .remedy = factor ? fmt::format("All axes are too broad alike: check the PSF's voxel size and wavelength, which "
                                      "would be wrong by a factor of {:.2g}, or the NA.",
                                      *factor)
                        : "Check the optics; of a measured PSF whether it is a clump of beads, a large one, or "
                          "aberrated."});
}

void CheckNarrow(const OpticsComparison& found, const Axes& ratios, std::vector<PsfDefect>& defects) {
  const auto axis = Worst(ratios, {kNarrow, kNarrow, kNarrow}, -1);
  if (!axis) return;
  const double ratio = *ratios[*axis];
  const auto factor = CommonFactor(ratios);
  defects.push_back({.name = "too_narrow",
                     .number = ratio,
                     .message = WidthText(found, *axis, ratio) +
                                ": no light is focused more sharply, and the result keeps blur and follows noise",
                     .remedy = factor ? fmt::format("Check the PSF's voxel size and wavelength, which would be wrong "
                                                    "by a factor of {:.2g}, or the NA.",
                                                    *factor)
                                      : "Check the PSF's voxel size, the wavelength, the NA and the kind of "
                                        "microscope."});
}

void CheckSampling(const OpticsComparison& found, const Shape3& shape, const std::array<double, 3>& voxel_um,
                   std::vector<PsfDefect>& defects) {
  const std::array<int64_t, 3> extents = {shape.z, shape.y, shape.x};
  Axes ratios;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (extents[axis] > 1) ratios[axis] = voxel_um[axis] / found.nyquist_um[axis];
  }
  const auto axis = Worst(ratios, {kSparseAlongZ, kSparse, kSparse}, 1);
  if (!axis) return;
  defects.push_back(
      {.name = "undersampled",
       .number = *ratios[*axis],
       .message = fmt::format("along {} voxels are {:.3g} um apart, {:.1f} times what these optics need ({:.3g} um): "
                              "fine detail is folded into coarser one, and no deconvolution takes it apart",
                              kNames[*axis], voxel_um[*axis], *ratios[*axis], found.nyquist_um[*axis]),
       .remedy = *axis == 0 ? "Check the voxel size; record planes that are closer."
                            : "Check the voxel size; record with a higher magnification or without binning."});
}

}  // namespace

OpticsComparison CompareWithOptics(std::span<const float> values, const Shape3& shape,
                                   const std::array<double, 3>& voxel_um, const Microscope& microscope) {
  const Periods periods = ShortestPeriods(microscope);
  OpticsComparison found;
  found.measured_um = Widths(values, shape);
  for (size_t axis = 0; axis < 3; ++axis) {
    if (found.measured_um[axis]) *found.measured_um[axis] *= voxel_um[axis];
  }
  found.expected_um = ExpectedWidths(shape, voxel_um, microscope, periods);
  found.nyquist_um = {periods.axial_um / 2, periods.side_um / 2, periods.side_um / 2};
  const Axes ratios = Ratios(found);
  CheckBroad(found, ratios, found.defects);
  CheckNarrow(found, ratios, found.defects);
  CheckSampling(found, shape, voxel_um, found.defects);
  return found;
}

std::string WidthsText(const Axes& um) {
  const auto text = [](const std::optional<double>& width) { return width ? fmt::format("{:.3g}", *width) : "-"; };
  return fmt::format("{} x {} x {} um", text(um[0]), text(um[1]), text(um[2]));
}

}  // namespace deconvoy::worker
