#include "tests/reference/resolution.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>

#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"

namespace deconvoy::reference {
namespace {

constexpr Shape3 kShape{60, 80, 80}, kPsfShape{33, 15, 15};
constexpr int64_t kFirst = 10, kPitch = 20, kPerAxis = 4, kPlane = 30, kMiddle = 40;
constexpr double kBeadRadius = 1.25, kShellRadius = 8, kHalfWall = 0.75;
constexpr int64_t kBeads = 0, kShell = -1;

worker::GaussianPsf Blurring() {
  constexpr double kAiry = 0.84;  // FWHM of an Airy disk over the Rayleigh distance
  v1::VoxelSize voxel, fwhm;
  voxel.set_z_um(1);
  voxel.set_y_um(1);
  voxel.set_x_um(1);
  fwhm.set_z_um(9.4);
  fwhm.set_y_um(kAiry * kRayleighVoxels);
  fwhm.set_x_um(kAiry * kRayleighVoxels);
  return worker::MakeGaussianPsf(fwhm, voxel, kPsfShape);
}

// Calls visit(y, x) for the places of a grid.
void ForEachPlace(const std::function<void(int64_t, int64_t)>& visit) {
  for (int64_t i = 0; i < kPerAxis; ++i)
    for (int64_t j = 0; j < kPerAxis; ++j) visit(kFirst + i * kPitch, kFirst + j * kPitch);
}

void ForEachVoxel(const std::function<void(int64_t, int64_t, int64_t)>& visit) {
  for (int64_t z = 0; z < kShape.z; ++z)
    for (int64_t y = 0; y < kShape.y; ++y)
      for (int64_t x = 0; x < kShape.x; ++x) visit(z, y, x);
}

double Length(int64_t z, int64_t y, int64_t x) {
  return std::hypot(static_cast<double>(z), static_cast<double>(y), static_cast<double>(x));
}

Volume Pairs(int64_t distance) {
  Volume truth(kShape.z, kShape.y, kShape.x);
  ForEachPlace([&](int64_t y, int64_t x) {
    truth.at(kPlane, y, x) = 1;
    truth.at(kPlane, y, x + distance) = 1;
  });
  return truth;
}

Volume Beads() {
  Volume truth(kShape.z, kShape.y, kShape.x);
  ForEachPlace([&](int64_t y, int64_t x) {
    for (int64_t k = -1; k <= 1; ++k)
      for (int64_t j = -1; j <= 1; ++j)
        for (int64_t i = -1; i <= 1; ++i) {
          if (Length(k, j, i) <= kBeadRadius) truth.at(kPlane + k, y + j, x + i) = 1;
        }
  });
  return truth;
}

Volume Shell() {
  Volume truth(kShape.z, kShape.y, kShape.x);
  ForEachVoxel([&](int64_t z, int64_t y, int64_t x) {
    const double r = Length(z - kPlane, y - kMiddle, x - kMiddle);
    if (std::abs(r - kShellRadius) <= kHalfWall) truth.at(z, y, x) = 1;
  });
  return truth;
}

double Light(const Volume& volume) {
  return std::accumulate(volume.values.begin(), volume.values.end(), 0.0);
}

// --- What is read off ---

using Line = std::vector<double>;

Line AlongX(const Volume& v, int64_t y) {
  Line line;
  for (int64_t x = 0; x < v.nx; ++x) line.push_back(v.at(kPlane, y, x));
  return line;
}

Line AlongZ(const Volume& v, int64_t y, int64_t x) {
  Line line;
  for (int64_t z = 0; z < v.nz; ++z) line.push_back(v.at(z, y, x));
  return line;
}

// The largest value up to `reach` voxels from `place`.
int64_t PeakNear(const Line& line, int64_t place, int64_t reach) {
  return std::max_element(line.begin() + (place - reach), line.begin() + (place + reach + 1)) - line.begin();
}

// From the peak to where the line falls to half of it, in voxels.
double HalfWidth(const Line& line, int64_t peak, int64_t step) {
  const auto at = [&](int64_t i) { return line[static_cast<size_t>(i)]; };
  const double half = at(peak) / 2;
  for (int64_t i = peak; i + step >= 0 && i + step < static_cast<int64_t>(line.size()); i += step) {
    if (at(i + step) <= half) return std::abs(static_cast<double>(i - peak)) + (at(i) - half) / (at(i) - at(i + step));
  }
  return static_cast<double>(line.size());
}

double WidthNear(const Line& line, int64_t place) {
  const int64_t peak = PeakNear(line, place, 2);
  return HalfWidth(line, peak, -1) + HalfWidth(line, peak, 1);
}

double DipOf(const Line& line, int64_t first, int64_t second) {
  const int64_t a = PeakNear(line, first, 1), b = PeakNear(line, second, 1);
  if (b - a < 2) return 0;
  const double least = *std::min_element(line.begin() + a + 1, line.begin() + b);
  const double lower = std::min(line[static_cast<size_t>(a)], line[static_cast<size_t>(b)]);
  return lower > 0 ? std::clamp(1 - least / lower, 0.0, 1.0) : 0;
}

double MeanOverPlaces(const std::function<double(int64_t, int64_t)>& value) {
  double sum = 0;
  ForEachPlace([&](int64_t y, int64_t x) { sum += value(y, x); });
  return sum / static_cast<double>(kPerAxis * kPerAxis);
}

}  // namespace

ResolutionTest::ResolutionTest(uint64_t seed, double peak_photons) {
  const worker::GaussianPsf psf = Blurring();
  const std::vector<float> values = psf.Values();
  psf_ = {.h = Volume(kPsfShape.z, kPsfShape.y, kPsfShape.x),
          .cz = kPsfShape.z / 2,
          .cy = kPsfShape.y / 2,
          .cx = kPsfShape.x / 2};
  psf_.h.values.assign(values.begin(), values.end());
  for (const int64_t distance : {3, 4, 5, 6}) Add(distance, Pairs(distance), peak_photons, seed++);
  Add(kBeads, Beads(), peak_photons, seed++);
  Add(kShell, Shell(), peak_photons, seed++);
}

void ResolutionTest::Add(int64_t distance, Volume truth, double peak_photons, uint64_t seed) {
  std::vector<float> blurred(truth.values.begin(), truth.values.end());
  worker::Blur(Blurring(), kShape, /*periodic=*/false, /*threads=*/1, blurred);
  const double scale = peak_photons / *std::max_element(blurred.begin(), blurred.end());
  for (float& v : blurred) v = static_cast<float>(v * scale);
  for (double& v : truth.values) v *= scale;
  std::vector<float> photons(blurred.size());
  worker::Expose({.scale = {}, .background_photons = 0, .type = v1::F32, .seed = seed}, blurred, 0,
                 std::as_writable_bytes(std::span(photons)));
  Volume image(kShape.z, kShape.y, kShape.x);
  image.values.assign(photons.begin(), photons.end());
  stacks_.push_back({distance, std::move(truth), std::move(image)});
}

void ResolutionTest::Read(int64_t distance, const Volume& result, ResolutionFigures& figures) {
  if (distance > 0) {
    figures.dips[distance] =
        MeanOverPlaces([&](int64_t y, int64_t x) { return DipOf(AlongX(result, y), x, x + distance); });
  } else if (distance == kBeads) {
    figures.bead_x = MeanOverPlaces([&](int64_t y, int64_t x) { return WidthNear(AlongX(result, y), x); });
    figures.bead_z = MeanOverPlaces([&](int64_t y, int64_t x) { return WidthNear(AlongZ(result, y, x), kPlane); });
  } else {
    const auto radius = static_cast<int64_t>(kShellRadius);
    const Line line = AlongX(result, kMiddle);
    double peaks = 0, widths = 0;
    for (const int64_t wall : {kMiddle - radius, kMiddle + radius}) {
      peaks += line[static_cast<size_t>(PeakNear(line, wall, 2))] / 2;
      widths += WidthNear(line, wall) / 2;
    }
    figures.wall = widths;
    figures.middle = line[static_cast<size_t>(kMiddle)] / peaks;
  }
}

ResolutionFigures ResolutionTest::Measure(const std::function<Volume(const Volume& image)>& method) const {
  ResolutionFigures figures{.light = 1};
  for (const Stack& stack : stacks_) {
    const Volume result = method(stack.image);
    Read(stack.distance, result, figures);
    const double light = Light(result) / Light(stack.truth);
    if (std::abs(light - 1) > std::abs(figures.light - 1)) figures.light = light;
  }
  return figures;
}

ResolutionFigures ResolutionTest::OfTruth() const {
  ResolutionFigures figures{.light = 1};
  for (const Stack& stack : stacks_) Read(stack.distance, stack.truth, figures);
  return figures;
}

ResolutionFigures ResolutionTest::OfImage() const {
  return Measure([](const Volume& image) { return image; });
}

}  // namespace deconvoy::reference
