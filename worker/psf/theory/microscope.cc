#include "worker/psf/theory/microscope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <utility>

#include "worker/imaging/parallel.h"
#include "worker/psf/theory/aberrated_light.h"
#include "worker/psf/theory/gaussian_model.h"
#include "worker/psf/theory/polar_light.h"
#include "worker/psf/theory/quadrature.h"

namespace deconvoy::worker {
namespace {

Optics WithWavelength(Optics optics, double wavelength_um) {
  optics.wavelength_um = wavelength_um;
  return optics;
}

// Light of one wavelength, whatever aberrates it.
class Light {
 public:
  // As FocalLight.
  Light(const Optics& optics, LightModel model, double step_um, size_t count, double reach_um) {
    const auto radii = static_cast<int>(count);
    if (optics.round()) {
      round_.emplace(optics, model, step_um, radii, reach_um);
    } else {
      aberrated_.emplace(optics, model, step_um, radii, reach_um);
    }
  }

  PolarLight At(double stage_um, bool polarised) const {
    return round_ ? ToPolar(round_->At(stage_um, polarised)) : aberrated_->At(stage_um, polarised);
  }

 private:
  std::optional<FocalLight> round_;
  std::optional<AberratedLight> aberrated_;
};

// Illumination through moving pinholes, as the camera's image of each weighs it: the light of one pinhole, twice
// blurred with its disc, and that of all others as an even light outside a disc of one pinhole's area.
class DiskIllumination {
 public:
  // `radius` and `cell` are those of a pinhole and of the area that belongs to it, in steps; cell 0: no others.
  DiskIllumination(double radius, double cell, double even, size_t count)
      : even_(even), blurred_(cell > 0 ? count + Disc::Margin(cell) : count) {
    first_.emplace(radius, blurred_ + Disc::Margin(radius));
    second_.emplace(radius, blurred_);
    if (cell > 0) cell_.emplace(cell, count);
  }

  static size_t Margin(double radius, double cell) {
    return 2 * Disc::Margin(radius) + (cell > 0 ? Disc::Margin(cell) : 0);
  }

  PolarLight Of(const PolarLight& light) const {
    PolarLight own = second_->Mean(first_->Mean(light));
    if (!cell_) return own;
    const PolarLight near = cell_->Mean(own);
    own.values.resize(near.values.size());
    for (size_t i = 0; i < own.values.size(); ++i) own.values[i] += std::max(even_ - near.values[i], 0.0);
    return own;
  }

 private:
  const double even_;  // light of all pinholes, were it spread evenly
  const size_t blurred_;
  std::optional<Disc> first_, second_, cell_;
};

double PinholeRadiusUm(const Microscope& microscope) {
  return microscope.pinhole_au * 1.22 * microscope.emission.wavelength_um / microscope.emission.na / 2;
}

// Of the disc with the area that belongs to one pinhole, in a hexagonal pattern.
double CellRadiusUm(const Microscope& microscope) {
  return microscope.pinhole_spacing_um * std::sqrt(std::numbers::sqrt3 / 2 / std::numbers::pi);
}

bool HasPinhole(Microscopy kind) {
  return kind == Microscopy::kConfocal || kind == Microscopy::kSted;
}

bool IsScanned(Microscopy kind) {
  return HasPinhole(kind) || kind == Microscopy::kTwoPhoton || kind == Microscopy::kSpinningDisk;
}

// Radii that a light needs for tables of `count`.
size_t RadiiFor(const Microscope& microscope, double step_um, size_t count) {
  const double pinhole = PinholeRadiusUm(microscope) / step_um, cell = CellRadiusUm(microscope) / step_um;
  if (HasPinhole(microscope.kind)) return count + Disc::Margin(pinhole);
  if (microscope.kind == Microscopy::kSpinningDisk) return count + DiskIllumination::Margin(pinhole, cell);
  return count;
}

// The planes of a microscope's PSF as tables over r and the direction.
class Planes {
 public:
  // Tables of `count` radii, `step_um` apart, for planes at most `reach_um` from the best focus.
  Planes(const Microscope& microscope, double step_um, size_t count, double reach_um)
      : microscope_(microscope), focus_(BestFocus(microscope.emission)) {
    const LightModel model = microscope.model;
    const double reach = reach_um + std::abs(focus_), pinhole = PinholeRadiusUm(microscope) / step_um;
    const size_t radii = RadiiFor(microscope, step_um, count);
    if (microscope.kind != Microscopy::kTwoPhoton) emission_.emplace(microscope.emission, model, step_um, radii, reach);
    if (IsScanned(microscope.kind)) {
      const Optics optics = WithWavelength(microscope.emission, microscope.excitation_um);
      excitation_.emplace(optics, model, step_um, radii, reach);
      if (microscope.kind == Microscopy::kSpinningDisk) {
        const double cell = CellRadiusUm(microscope);
        const double even = cell > 0 ? WholeLight(optics, model) / (std::numbers::pi * cell * cell) : 0;
        disk_.emplace(pinhole, cell / step_um, even, count);
      }
    }
    if (HasPinhole(microscope.kind)) pinhole_.emplace(pinhole, count);
    if (microscope.kind == Microscopy::kSted) {
      depletion_.emplace(WithWavelength(microscope.emission, microscope.depletion_um), LightModel::kVortex, step_um,
                         radii, reach);
      const PolarLight ring = depletion_->At(focus_, false);
      ring_peak_ = *std::max_element(ring.values.begin(), ring.values.end());
    }
  }

  // The plane `z_um` deeper than the best focus.
  PolarLight At(double z_um) const {
    const double stage = focus_ + z_um;
    PolarLight light = excitation_ ? excitation_->At(stage, microscope_.polarised) : emission_->At(stage, false);
    switch (microscope_.kind) {
      case Microscopy::kWidefield:
        break;
      case Microscopy::kLightSheet: {
        const double place = z_um / microscope_.sheet_fwhm_um;
        for (double& v : light.values) v *= std::exp(-4 * std::numbers::ln2 * place * place);
        break;
      }
      case Microscopy::kTwoPhoton:
        for (double& v : light.values) v *= v;
        break;
      case Microscopy::kSpinningDisk:
        light = Product(disk_->Of(light), emission_->At(stage, false));
        break;
      case Microscopy::kSted:
      case Microscopy::kConfocal:
        light = Product(light, pinhole_->Mean(emission_->At(stage, false)));
        if (depletion_) Deplete(stage, light);
        break;
    }
    return light;
  }

 private:
  void Deplete(double stage_um, PolarLight& light) const {
    PolarLight left = depletion_->At(stage_um, false);
    for (double& v : left.values) v = 1 / (1 + microscope_.saturation * v / ring_peak_);
    light = Product(light, left);
  }

  const Microscope& microscope_;
  const double focus_;
  std::optional<Light> emission_, excitation_, depletion_;
  std::optional<Disc> pinhole_;
  std::optional<DiskIllumination> disk_;
  double ring_peak_ = 1;
};

// Mean over a pixel of a plane, by 3 x 3 Gauss-Legendre points.
class Pixels {
 public:
  Pixels(const PsfGrid& grid, double step_um) : grid_(grid), step_um_(step_um), points_(GaussLegendre(-0.5, 0.5, 3)) {}

  // Fills one plane in y,x order.
  void Fill(const PolarLight& light, std::span<float> plane) const {
    const int64_t cy = grid_.shape.y / 2, cx = grid_.shape.x / 2;
    if (light.directions > 1) {
      float* to = plane.data();
      for (int64_t y = 0; y < grid_.shape.y; ++y) {
        for (int64_t x = 0; x < grid_.shape.x; ++x) *to++ = static_cast<float>(Mean(light, y - cy, x - cx));
      }
      return;
    }
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
  double Mean(const PolarLight& light, int64_t y, int64_t x) const {
    double sum = 0;
    for (size_t i = 0; i < points_.nodes.size(); ++i) {
      const double v = (static_cast<double>(y) + points_.nodes[i]) * grid_.y_um;
      for (size_t j = 0; j < points_.nodes.size(); ++j) {
        const double u = (static_cast<double>(x) + points_.nodes[j]) * grid_.x_um;
        const double angle = light.directions > 1 ? std::atan2(v, u) : 0;
        sum += points_.weights[i] * points_.weights[j] * Interpolate(light, std::sqrt(u * u + v * v) / step_um_, angle);
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
  size_t count;
  double reach_um;  // along z, from the middle
};

Table TableOf(const Microscope& microscope, const PsfGrid& grid) {
  const double step = StepOf(microscope);
  const double corner = std::hypot((static_cast<double>(grid.shape.y) + 1) / 2 * grid.y_um,
                                   (static_cast<double>(grid.shape.x) + 1) / 2 * grid.x_um);
  return {.step_um = step,
          .count = static_cast<size_t>(std::ceil(corner / step)) + 4,
          .reach_um = static_cast<double>(grid.shape.z + 1) / 2 * grid.z_um};
}

// Tables of one light over radii and nodes.
double LightBytes(const Microscope& microscope, double radii, double nodes) {
  constexpr double kIntegrals = 3;  // at most
  if (microscope.emission.round()) return sizeof(float) * kIntegrals * radii * nodes;
  return AberratedLight::Bytes(microscope.emission, radii, nodes);
}

std::vector<float> MakeModelled(const Microscope& microscope, const PsfGrid& grid, int threads) {
  const Table table = TableOf(microscope, grid);
  const Planes planes(microscope, table.step_um, table.count, table.reach_um);
  const Pixels pixels(grid, table.step_um);
  const auto plane = static_cast<size_t>(grid.shape.y * grid.shape.x);
  std::vector<float> values(plane * static_cast<size_t>(grid.shape.z));
  ParallelFor(threads, grid.shape.z, [&](int64_t z) {
    const double z_um = static_cast<double>(z - grid.shape.z / 2) * grid.z_um;
    pixels.Fill(planes.At(z_um), std::span(values).subspan(static_cast<size_t>(z) * plane, plane));
  });
  return values;
}

}  // namespace

double PsfBytes(const Microscope& microscope, const PsfGrid& grid) {
  const double values = sizeof(float) * static_cast<double>(grid.shape.voxels());
  if (microscope.gaussian) return values;
  constexpr double kLights = 3, kDiscs = 2;  // at most
  const Table table = TableOf(microscope, grid);
  const size_t radii = RadiiFor(microscope, table.step_um, table.count);
  const double nodes =
      PupilNodes(microscope.emission, table.step_um * static_cast<double>(table.count), table.reach_um) * 1.5;
  return values + kLights * LightBytes(microscope, static_cast<double>(radii), nodes) +
         kDiscs * Disc::Bytes(PinholeRadiusUm(microscope) / table.step_um, radii) +
         Disc::Bytes(CellRadiusUm(microscope) / table.step_um, table.count);
}

std::vector<float> MakePsf(const Microscope& microscope, const PsfGrid& grid, int threads) {
  std::vector<float> values =
      microscope.gaussian ? MakeGaussian(WidthsOf(microscope), grid) : MakeModelled(microscope, grid, threads);
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v);
  for (float& v : values) v = static_cast<float>(v / sum);
  return values;
}

}  // namespace deconvoy::worker
