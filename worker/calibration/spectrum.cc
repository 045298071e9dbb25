#include "worker/calibration/spectrum.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "proto/contract/status_macros.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr float kPassed = 5e-3F;       // |h^| that lets structures through
constexpr double kLeastCycles = 0.35;  // per voxel along y or x
constexpr size_t kLeastFrequencies = 200;

std::vector<double> Window(int64_t extent) {
  std::vector<double> window;
  for (int64_t i = 0; i < extent; ++i) {
    const double sine = std::sin(std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(extent));
    window.push_back(sine * sine * sine * sine);
  }
  return window;
}

// Cycles per voxel of position i of n.
double Cycles(int64_t i, int64_t n) {
  return static_cast<double>(std::min(i, n - i)) / static_cast<double>(n);
}

// A box of y under the window, without its mean.
struct Windowed {
  std::vector<float> values;
  double photon_power = 0;
};

// Calls `visit(index, a)` for each voxel of a box.
template <typename Visit>
void ForEachVoxel(const Shape3& shape, const Visit& visit) {
  const std::vector<double> wz = Window(shape.z), wy = Window(shape.y), wx = Window(shape.x);
  size_t i = 0;
  for (const double z : wz) {
    for (const double y : wy) {
      for (const double x : wx) visit(i++, z * y * x);
    }
  }
}

absl::StatusOr<Windowed> UnderWindow(Ops& ops, const Array& y, const Array* mask, const Box3& box) {
  Windowed result;
  result.values.resize(static_cast<size_t>(box.shape.voxels()));
  RETURN_IF_ERROR(ops.Download(y, box, result.values));
  std::vector<float> m;
  if (mask != nullptr) {
    m.resize(result.values.size());
    RETURN_IF_ERROR(ops.Download(*mask, box, m));
  }
  const auto counts = [&m](size_t i) { return m.empty() || m[i] != 0; };
  double sum = 0, weights = 0;
  ForEachVoxel(box.shape, [&](size_t i, double a) {
    if (!counts(i)) return;
    const double value = result.values[i];
    sum += a * value;
    weights += a;
    result.photon_power += a * a * value;
  });
  const double mean = weights > 0 ? sum / weights : 0;
  ForEachVoxel(box.shape, [&](size_t i, double a) {
    result.values[i] = counts(i) ? static_cast<float>(a * (result.values[i] - mean)) : 0;
  });
  return result;
}

}  // namespace

absl::StatusOr<WindowedSpectrum> SpectrumUnderWindow(Ops& ops, const Array& y, const Array* mask, const Box3& box) {
  ASSIGN_OR_RETURN(Windowed windowed, UnderWindow(ops, y, mask, box));
  ASSIGN_OR_RETURN(const auto transform, ops.MakeOtf(windowed.values, box.shape, {}));
  windowed.values = {};
  WindowedSpectrum spectrum{.magnitude = {}, .photon_power = windowed.photon_power};
  ASSIGN_OR_RETURN(spectrum.magnitude, MagnitudeOf(ops, *transform));
  return spectrum;
}

std::optional<double> NoisePower(const Shape3& domain, const WindowedSpectrum& spectrum,
                                 const std::vector<float>& passed) {
  std::vector<float> powers;
  size_t i = 0;
  for (int64_t z = 0; z < domain.z; ++z) {
    for (int64_t y = 0; y < domain.y; ++y) {
      for (int64_t x = 0; x <= domain.x / 2; ++x, ++i) {
        if (std::max(Cycles(y, domain.y), Cycles(x, domain.x)) < kLeastCycles || passed[i] > kPassed) continue;
        powers.push_back(spectrum.magnitude[i] * spectrum.magnitude[i]);
      }
    }
  }
  if (powers.size() < kLeastFrequencies) return std::nullopt;
  const auto middle = powers.begin() + static_cast<std::ptrdiff_t>(powers.size() / 2);
  std::nth_element(powers.begin(), middle, powers.end());
  return *middle / std::numbers::ln2;
}

}  // namespace deconvoy::worker
