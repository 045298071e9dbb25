#include "worker/psf/theory/microscope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include "worker/imaging/parallel.h"
#include "worker/psf/theory/quadrature.h"

namespace deconvoy::worker {
namespace {

// Values over r = 0, step, 2 step, ...: cubic between them (Catmull and Rom), 0 beyond.
double Interpolate(std::span<const double> values, double place) {
  const auto i = static_cast<size_t>(place);
  if (i + 2 >= values.size()) return 0;
  const double t = place - static_cast<double>(i);
  const double before = values[i == 0 ? 1 : i - 1];  // even about the axis
  const double a = values[i], b = values[i + 1], after = values[i + 2];
  return a + t / 2 * (b - before + t * (2 * before - 5 * a + 4 * b - after + t * (3 * (a - b) + after - before)));
}

// The mean over a disc of `radius` steps about each r, with weights that serve every plane.
class Disc {
 public:
  Disc(double radius, int count) : count_(count) {
    constexpr int kRings = 8, kDirections = 24;
    const Quadrature rings = GaussLegendre(0, radius, kRings);
    places_.reserve(static_cast<size_t>(count) * kRings * kDirections);
    for (int r = 0; r < count; ++r) {
      for (size_t ring = 0; ring < kRings; ++ring) {
        for (int i = 0; i < kDirections; ++i) {  // one half; the other mirrors it
          const double angle = std::numbers::pi * (i + 0.5) / kDirections;
          const double x = r + rings.nodes[ring] * std::cos(angle), y = rings.nodes[ring] * std::sin(angle);
          places_.push_back(static_cast<float>(std::hypot(x, y)));
        }
      }
    }
    for (size_t ring = 0; ring < kRings; ++ring) {
      weights_.push_back(2 * rings.weights[ring] * rings.nodes[ring] / (radius * radius * kDirections));
    }
  }

  std::vector<double> Mean(std::span<const double> values) const {
    std::vector<double> means(static_cast<size_t>(count_));
    const float* place = places_.data();
    const size_t directions = places_.size() / (static_cast<size_t>(count_) * weights_.size());
    for (double& mean : means) {
      for (const double weight : weights_) {
        double ring = 0;
        for (size_t i = 0; i < directions; ++i) ring += Interpolate(values, static_cast<double>(*place++));
        mean += weight * ring;
      }
    }
    return means;
  }

 private:
  const int count_;
  std::vector<float> places_;  // of every r, ring and direction
  std::vector<double> weights_;
};

void MultiplyBy(std::span<const double> factors, std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) values[i] *= factors[i];
}

Optics WithWavelength(Optics optics, double wavelength_um) {
  optics.wavelength_um = wavelength_um;
  return optics;
}

// The planes of a microscope's PSF as tables over r.
class Planes {
 public:
  // Tables of `count` values, `step_um` apart, for planes at most `reach_um` from the best focus.
  Planes(const Microscope& microscope, double step_um, int count, double reach_um)
      : microscope_(microscope),
        count_(count),
        focus_(BestFocus(microscope.emission)),
        pinhole_(PinholeRadius() / step_um),
        disc_(std::max(pinhole_, 1e-3), pinhole_ > 0 ? count : 0) {
    const LightModel model = microscope.model;
    const double reach = reach_um + std::abs(focus_);
    const int more = count + static_cast<int>(std::ceil(pinhole_)) + 3;
    if (microscope.kind != Microscopy::kTwoPhoton) emission_.emplace(microscope.emission, model, step_um, more, reach);
    if (microscope.excitation_um > 0 && microscope.kind != Microscopy::kWidefield &&
        microscope.kind != Microscopy::kLightSheet) {
      excitation_.emplace(WithWavelength(microscope.emission, microscope.excitation_um), model, step_um, more, reach);
    }
    if (microscope.kind == Microscopy::kSted) {
      depletion_.emplace(WithWavelength(microscope.emission, microscope.depletion_um), LightModel::kVortex, step_um,
                         more, reach);
      const RadialLight ring = depletion_->At(focus_, false);
      ring_peak_ = *std::max_element(ring.mean.begin(), ring.mean.end());
    }
  }

  // The plane `z_um` deeper than the best focus.
  RadialLight At(double z_um) const {
    const double stage = focus_ + z_um;
    RadialLight light = excitation_ ? excitation_->At(stage, microscope_.polarised) : emission_->At(stage, false);
    switch (microscope_.kind) {
      case Microscopy::kWidefield:
        break;
      case Microscopy::kLightSheet: {
        const double place = z_um / microscope_.sheet_fwhm_um;
        for (double& v : light.mean) v *= std::exp(-4 * std::numbers::ln2 * place * place);
        break;
      }
      case Microscopy::kTwoPhoton:
        for (double& v : light.mean) v *= v;
        break;
      case Microscopy::kSted:
      case Microscopy::kConfocal: {
        const std::vector<double> detection = disc_.Mean(emission_->At(stage, false).mean);
        light.mean.resize(detection.size());
        MultiplyBy(detection, light.mean);
        if (!light.cosine.empty()) {
          light.cosine.resize(detection.size());
          MultiplyBy(detection, light.cosine);
        }
        if (depletion_) Deplete(stage, light.mean);
        break;
      }
    }
    return light;
  }

 private:
  double PinholeRadius() const {
    if (microscope_.kind != Microscopy::kConfocal && microscope_.kind != Microscopy::kSted) return 0;
    return microscope_.pinhole_au * 1.22 * microscope_.emission.wavelength_um / microscope_.emission.na / 2;
  }

  void Deplete(double stage_um, std::vector<double>& light) const {
    const RadialLight ring = depletion_->At(stage_um, false);
    for (size_t i = 0; i < light.size(); ++i) light[i] /= 1 + microscope_.saturation * ring.mean[i] / ring_peak_;
  }

  const Microscope& microscope_;
  const int count_;
  const double focus_;
  const double pinhole_;  // its radius, in steps
  const Disc disc_;
  std::optional<FocalLight> emission_, excitation_, depletion_;
  double ring_peak_ = 1;
};

// Mean over a pixel of a plane, by 3 x 3 Gauss-Legendre points.
class Pixels {
 public:
  Pixels(const PsfGrid& grid, double step_um) : grid_(grid), step_um_(step_um), points_(GaussLegendre(-0.5, 0.5, 3)) {}

  // Fills one plane in y,x order.
  void Fill(const RadialLight& light, std::span<float> plane) const {
    const int64_t cy = grid_.shape.y / 2, cx = grid_.shape.x / 2;
    // One quarter: the others are its mirror images.
    for (int64_t y = 0; y <= cy; ++y) {
      for (int64_t x = 0; x <= cx; ++x) {
        const auto value = static_cast<float>(Mean(light, y, x));
        for (const int64_t row : {cy - y, cy + y}) {
          for (const int64_t column : {cx - x, cx + x}) {
            if (row < grid_.shape.y && column < grid_.shape.x) {
              plane[static_cast<size_t>(row * grid_.shape.x + column)] = value;
            }
          }
        }
      }
    }
  }

 private:
  double Mean(const RadialLight& light, int64_t y, int64_t x) const {
    double sum = 0;
    for (size_t i = 0; i < points_.nodes.size(); ++i) {
      const double v = (static_cast<double>(y) + points_.nodes[i]) * grid_.y_um;
      for (size_t j = 0; j < points_.nodes.size(); ++j) {
        const double u = (static_cast<double>(x) + points_.nodes[j]) * grid_.x_um;
        const double r2 = u * u + v * v, place = std::sqrt(r2) / step_um_;
        double value = Interpolate(light.mean, place);
        if (!light.cosine.empty() && r2 > 0) value += Interpolate(light.cosine, place) * (u * u - v * v) / r2;
        sum += points_.weights[i] * points_.weights[j] * value;
      }
    }
    return sum;
  }

  const PsfGrid& grid_;
  const double step_um_;
  const Quadrature points_;
};

// Fine enough for cubic interpolation: a sixteenth of the shortest period that intensities have.
double StepOf(const Microscope& microscope) {
  double shortest = microscope.emission.wavelength_um;
  if (microscope.excitation_um > 0) shortest = std::min(shortest, microscope.excitation_um);
  return shortest / (2 * microscope.emission.na) / 16;
}

// How the distance from the axis is cut for a grid.
struct Table {
  double step_um;
  int count;
  double reach_um;  // along z, from the middle
};

Table TableOf(const Microscope& microscope, const PsfGrid& grid) {
  const double step = StepOf(microscope);
  const double corner = std::hypot((static_cast<double>(grid.shape.y) + 1) / 2 * grid.y_um,
                                   (static_cast<double>(grid.shape.x) + 1) / 2 * grid.x_um);
  return {.step_um = step,
          .count = static_cast<int>(std::ceil(corner / step)) + 4,
          .reach_um = static_cast<double>(grid.shape.z + 1) / 2 * grid.z_um};
}

}  // namespace

double PsfBytes(const Microscope& microscope, const PsfGrid& grid) {
  constexpr double kLights = 3, kIntegrals = 3, kDiscPlaces = 192;  // at most
  const Table table = TableOf(microscope, grid);
  const double nodes = PupilNodes(microscope.emission, table.step_um * table.count, table.reach_um) * 1.5;
  return sizeof(float) *
         (static_cast<double>(grid.shape.voxels()) + table.count * (kLights * kIntegrals * nodes + kDiscPlaces));
}

std::vector<float> MakePsf(const Microscope& microscope, const PsfGrid& grid, int threads) {
  const Table table = TableOf(microscope, grid);
  const Planes planes(microscope, table.step_um, table.count, table.reach_um);
  const Pixels pixels(grid, table.step_um);
  const auto plane = static_cast<size_t>(grid.shape.y * grid.shape.x);
  std::vector<float> values(plane * static_cast<size_t>(grid.shape.z));
  ParallelFor(threads, grid.shape.z, [&](int64_t z) {
    const double z_um = static_cast<double>(z - grid.shape.z / 2) * grid.z_um;
    pixels.Fill(planes.At(z_um), std::span(values).subspan(static_cast<size_t>(z) * plane, plane));
  });
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v);
  for (float& v : values) v = static_cast<float>(v / sum);
  return values;
}

}  // namespace deconvoy::worker
