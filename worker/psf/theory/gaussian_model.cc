#include "worker/psf/theory/gaussian_model.h"

#include <cmath>
#include <numbers>

namespace deconvoy::worker {
namespace {

GaussianWidths LightOf(const Microscope& microscope, double wavelength_um) {
  const double n = microscope.emission.ri_immersion, na = microscope.emission.na;
  return {0.5145 * wavelength_um / na, 0.886 * wavelength_um / (n - std::sqrt(n * n - na * na))};
}

double ProductWidth(double a, double b) {
  return 1 / std::sqrt(1 / (a * a) + 1 / (b * b));
}

GaussianWidths Product(const GaussianWidths& a, const GaussianWidths& b) {
  return {ProductWidth(a.across, b.across), ProductWidth(a.along, b.along)};
}

// Seen through the pinhole `times`.
GaussianWidths Through(const GaussianWidths& light, const Microscope& microscope, int times) {
  const Optics& optics = microscope.emission;
  const double pinhole = microscope.pinhole_au * 1.22 * optics.wavelength_um / optics.na;
  const double shift = optics.ri_immersion * pinhole / optics.na;
  return {std::sqrt(light.across * light.across + times * std::numbers::ln2 * pinhole * pinhole / 2),
          std::sqrt(light.along * light.along + times * 2 * shift * shift)};
}

GaussianWidths FromOptics(const Microscope& microscope) {
  const GaussianWidths emission = LightOf(microscope, microscope.emission.wavelength_um);
  const GaussianWidths excitation = LightOf(microscope, microscope.excitation_um);
  switch (microscope.kind) {
    case Microscopy::kWidefield:
      break;
    case Microscopy::kConfocal:
      return Product(excitation, Through(emission, microscope, 1));
    case Microscopy::kSpinningDisk:
      return Product(emission, Through(excitation, microscope, 2));
    case Microscopy::kTwoPhoton:
      return {excitation.across / std::numbers::sqrt2, excitation.along / std::numbers::sqrt2};
    case Microscopy::kLightSheet:
      return {emission.across, ProductWidth(emission.along, microscope.sheet_fwhm_um)};
    case Microscopy::kSted: {
      const GaussianWidths confocal = Product(excitation, Through(emission, microscope, 1));
      return {confocal.across / std::sqrt(1 + microscope.saturation), confocal.along};
    }
  }
  return emission;
}

double Sigma(double fwhm) {
  return fwhm / (2 * std::sqrt(2 * std::numbers::ln2));
}

// Means over voxels of a Gaussian of integral 1 along one axis.
std::vector<double> Means(double fwhm_um, int64_t extent, double voxel_um) {
  const double scale = voxel_um / (Sigma(fwhm_um) * std::numbers::sqrt2);
  std::vector<double> means;
  for (int64_t i = 0; i < extent; ++i) {
    const double place = static_cast<double>(i - extent / 2);
    means.push_back((std::erf((place + 0.5) * scale) - std::erf((place - 0.5) * scale)) / 2);
  }
  return means;
}

}  // namespace

GaussianWidths WidthsOf(const Microscope& microscope) {
  GaussianWidths widths{microscope.fwhm_um, microscope.fwhm_z_um};
  if (widths.across > 0 && widths.along > 0) return widths;
  const GaussianWidths told = FromOptics(microscope);
  if (!(widths.across > 0)) widths.across = told.across;
  if (!(widths.along > 0)) widths.along = told.along;
  return widths;
}

std::vector<float> MakeGaussian(const GaussianWidths& widths, const PsfGrid& grid) {
  const Shape3& shape = grid.shape;
  const std::vector<double> rows = Means(widths.across, shape.y, grid.y_um);
  const std::vector<double> columns = Means(widths.across, shape.x, grid.x_um);
  std::vector<float> values;
  values.reserve(static_cast<size_t>(shape.voxels()));
  for (int64_t z = 0; z < shape.z; ++z) {
    const double place = static_cast<double>(z - shape.z / 2) * grid.z_um / Sigma(widths.along);
    const double plane = std::exp(-place * place / 2);
    for (const double row : rows) {
      for (const double column : columns) values.push_back(static_cast<float>(plane * row * column));
    }
  }
  return values;
}

}  // namespace deconvoy::worker
