// The Gaussian model, and the spinning disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/psf/theory/gaussian_model.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {
namespace {

constexpr PsfGrid kGrid{.shape = {41, 81, 81}, .z_um = 0.1, .y_um = 0.02, .x_um = 0.02};

Microscope Dry(Microscopy kind) {
  Microscope microscope;
  microscope.kind = kind;
  microscope.model = LightModel::kScalar;
  microscope.emission.na = 0.8;
  microscope.emission.wavelength_um = 0.52;
  microscope.emission.ri_immersion = microscope.emission.ri_immersion_design = microscope.emission.ri_sample = 1;
  microscope.excitation_um = 0.488;
  return microscope;
}

Microscope Gaussian(Microscopy kind) {
  Microscope microscope = Dry(kind);
  microscope.gaussian = true;
  return microscope;
}

// Through the middle, full width at half maximum in um.
double Width(const std::vector<float>& psf, const PsfGrid& grid, bool along_z) {
  const Shape3& s = grid.shape;
  const int64_t middle = (s.z / 2 * s.y + s.y / 2) * s.x + s.x / 2, stride = along_z ? s.y * s.x : 1;
  const auto at = [&](int64_t i) { return static_cast<double>(psf[static_cast<size_t>(middle + i * stride)]); };
  for (int64_t i = 1; i <= (along_z ? s.z : s.x) / 2; ++i) {
    if (at(i) > at(0) / 2) continue;
    return 2 * (along_z ? grid.z_um : grid.x_um) * (static_cast<double>(i) - (at(0) / 2 - at(i)) / (at(i - 1) - at(i)));
  }
  return std::nan("");
}

TEST(GaussianModelTest, HasTheWidthsOfAPoint) {
  const std::vector<float> psf = MakePsf(Gaussian(Microscopy::kWidefield), kGrid, 1);
  EXPECT_NEAR(Width(psf, kGrid, false), 0.5145 * 0.52 / 0.8, 0.01 * 0.33);
  EXPECT_NEAR(Width(psf, kGrid, true), 0.886 * 0.52 / (1 - std::sqrt(1 - 0.64)), 0.01 * 1.15);
  double sum = 0;
  for (const float v : psf) sum += static_cast<double>(v);
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(GaussianModelTest, TakesGivenWidthsAndNeedsNothingElseThen) {
  Microscope microscope;
  microscope.gaussian = true;
  microscope.fwhm_um = 0.4;
  microscope.fwhm_z_um = 1.5;
  const std::vector<float> psf = MakePsf(microscope, kGrid, 1);
  EXPECT_NEAR(Width(psf, kGrid, false), 0.4, 0.004);
  EXPECT_NEAR(Width(psf, kGrid, true), 1.5, 0.01);
}

TEST(GaussianModelTest, VoxelsHoldTheMeanOverTheirArea) {
  // Of voxels as wide as the Gaussian, those in the middle hold less than its peak.
  Microscope microscope;
  microscope.gaussian = true;
  microscope.fwhm_um = microscope.fwhm_z_um = 0.4;
  const PsfGrid coarse{.shape = {1, 5, 5}, .z_um = 0.1, .y_um = 0.4, .x_um = 0.4};
  const PsfGrid fine{.shape = {1, 45, 45}, .z_um = 0.1, .y_um = 0.4 / 9, .x_um = 0.4 / 9};
  const std::vector<float> pixels = MakePsf(microscope, coarse, 1), parts = MakePsf(microscope, fine, 1);
  double mean = 0;
  for (size_t y = 18; y < 27; ++y) {
    for (size_t x = 18; x < 27; ++x) mean += static_cast<double>(parts[y * 45 + x]);
  }
  EXPECT_NEAR(static_cast<double>(pixels[12]), mean, 1e-5);
}

class GaussianAgainstLight : public ::testing::TestWithParam<Microscopy> {};

TEST_P(GaussianAgainstLight, HasAboutItsWidths) {
  Microscope light = Dry(GetParam()), gaussian = Gaussian(GetParam());
  for (Microscope* microscope : {&light, &gaussian}) {
    microscope->sheet_fwhm_um = 1;
    if (GetParam() == Microscopy::kTwoPhoton) microscope->excitation_um = microscope->emission.wavelength_um = 0.8;
    microscope->pinhole_au = 0.5;
  }
  const std::vector<float> expected = MakePsf(light, kGrid, 2), found = MakePsf(gaussian, kGrid, 2);
  EXPECT_NEAR(Width(found, kGrid, false) / Width(expected, kGrid, false), 1, 0.1);
  EXPECT_NEAR(Width(found, kGrid, true) / Width(expected, kGrid, true), 1, 0.15);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GaussianAgainstLight,
                         ::testing::Values(Microscopy::kWidefield, Microscopy::kConfocal, Microscopy::kSpinningDisk,
                                           Microscopy::kTwoPhoton, Microscopy::kLightSheet));

double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(error / norm);
}

constexpr PsfGrid kDiskGrid{.shape = {11, 41, 41}, .z_um = 0.5, .y_um = 0.05, .x_um = 0.05};

std::vector<float> Disk(double pinhole_au, double spacing_um) {
  Microscope disk = Dry(Microscopy::kSpinningDisk);
  disk.pinhole_au = pinhole_au;
  disk.pinhole_spacing_um = spacing_um;
  return MakePsf(disk, kDiskGrid, 2);
}

TEST(SpinningDiskTest, SmallPinholesFarApartAreAConfocal) {
  Microscope confocal = Dry(Microscopy::kConfocal);
  confocal.pinhole_au = 0.05;
  EXPECT_LT(RelativeError(Disk(0.05, 0), MakePsf(confocal, kDiskGrid, 2)), 0.01);
}

TEST(SpinningDiskTest, PinholesSideBySideAreAWideField) {
  EXPECT_LT(RelativeError(Disk(0.5, 0.15), MakePsf(Dry(Microscopy::kWidefield), kDiskGrid, 2)), 0.03);
}

// Light of the outermost plane over that of the middle one.
double OutOfFocus(const std::vector<float>& psf) {
  const Shape3& s = kDiskGrid.shape;
  double outside = 0, inside = 0;
  for (int64_t i = 0; i < s.y * s.x; ++i) {
    outside += static_cast<double>(psf[static_cast<size_t>(i)]);
    inside += static_cast<double>(psf[static_cast<size_t>(s.z / 2 * s.y * s.x + i)]);
  }
  return outside / inside;
}

TEST(SpinningDiskTest, OtherPinholesPassLightFromOutOfFocus) {
  const double alone = OutOfFocus(Disk(1, 0)), far = OutOfFocus(Disk(1, 10)), near = OutOfFocus(Disk(1, 3));
  EXPECT_LT(alone, far);
  EXPECT_LT(1.5 * far, near);
}

}  // namespace
}  // namespace deconvoy::worker
