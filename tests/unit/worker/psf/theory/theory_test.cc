#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "worker/psf/theory/focal_light.h"
#include "worker/psf/theory/microscope.h"
#include "worker/psf/theory/optics.h"
#include "worker/psf/theory/quadrature.h"

namespace deconvoy::worker {
namespace {

Optics Oil() {
  Optics optics;
  optics.na = 1.4;
  optics.wavelength_um = 0.52;
  return optics;
}

// An oil objective that looks into water.
Optics OilIntoWater(double depth_um) {
  Optics optics = Oil();
  optics.na = 1.3;
  optics.ri_sample = 1.333;
  optics.depth_um = depth_um;
  return optics;
}

Optics Dry() {
  Optics optics;
  optics.na = 0.3;
  optics.wavelength_um = 0.52;
  optics.ri_immersion = optics.ri_immersion_design = optics.ri_sample = 1;
  return optics;
}

// --- A reference that shares no code: the trapezoid rule, written out for the layers. ---

double ReferencePath(const Optics& o, double s, double f) {
  const auto axial = [s](double n) { return std::sqrt(n * n - s * s); };
  return o.depth_um * axial(o.ri_sample) + (o.working_distance_um - f) * axial(o.ri_immersion) -
         o.working_distance_um * axial(o.ri_immersion_design) + o.coverslip_um * axial(o.ri_coverslip) -
         o.coverslip_design_um * axial(o.ri_coverslip_design);
}

double ReferenceScalar(const Optics& o, double r, double f) {
  constexpr int kSteps = 20'000;
  const double k = 2 * std::numbers::pi / o.wavelength_um;
  const double end = std::min(1.0, o.ri_sample / o.na);
  std::complex<double> sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double rho = end * i / kSteps;
    const double weight = i == 0 || i == kSteps ? 0.5 : 1;
    sum +=
        weight * std::cyl_bessel_j(0, k * o.na * rho * r) * rho * std::polar(1.0, k * ReferencePath(o, o.na * rho, f));
  }
  return std::norm(sum * (end / kSteps));
}

TEST(QuadratureTest, IntegratesPolynomialsExactly) {
  for (const int count : {1, 2, 5, 40, 301}) {
    const Quadrature rule = GaussLegendre(1, 3, count);
    const int degree = std::min(2 * count - 1, 9);
    double sum = 0;
    for (size_t i = 0; i < rule.nodes.size(); ++i) sum += rule.weights[i] * std::pow(rule.nodes[i], degree);
    EXPECT_EQ(static_cast<int>(rule.nodes.size()), count);
    EXPECT_NEAR(sum, (std::pow(3, degree + 1) - 1) / (degree + 1), 1e-10 * sum) << count;
  }
}

TEST(OpticsTest, TheDesignHasNoAberration) {
  for (const double rho : {0.0, 0.3, 0.7, 1.0}) EXPECT_EQ(OpticalPath(Oil(), rho, 0), 0);
  EXPECT_NEAR(BestFocus(Oil()), 0, 1e-3);
}

TEST(OpticsTest, FocusFollowsThePointIntoTheSpecimen) {
  // Paraxially by n_i / n_s; more for rays at the rim.
  EXPECT_GT(BestFocus(OilIntoWater(10)), 10 * 1.515 / 1.333);
  EXPECT_LT(BestFocus(OilIntoWater(10)), 10 * 1.515 / 1.333 * 1.3);
  Optics shallow = Dry();
  shallow.na = 0.1;
  shallow.ri_sample = 1.333;
  shallow.depth_um = 100;
  EXPECT_NEAR(BestFocus(shallow), 100 / 1.333, 0.5);
}

class ScalarAgainstReference : public ::testing::TestWithParam<double> {};

TEST_P(ScalarAgainstReference, AgreesToAThousandth) {
  const Optics optics = OilIntoWater(GetParam());
  const double focus = BestFocus(optics);
  constexpr double kStep = 0.2;
  constexpr int kCount = 20;
  const FocalLight light(optics, LightModel::kScalar, kStep, kCount, std::abs(focus) + 5);
  double error = 0, norm = 0;
  for (const double z : {-5.0, -1.3, -0.4, 0.0, 0.3, 2.1, 5.0}) {
    const RadialLight plane = light.At(focus + z, false);
    for (int r = 0; r < kCount; ++r) {
      const double expected = ReferenceScalar(optics, r * kStep, focus + z);
      error += std::pow(plane.mean[static_cast<size_t>(r)] - expected, 2);
      norm += expected * expected;
    }
  }
  EXPECT_LT(std::sqrt(error / norm), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Depths, ScalarAgainstReference, ::testing::Values(0, 5, 20));

TEST(FocalLightTest, InFocusItIsAirysDisc) {
  constexpr double kStep = 0.01;
  const FocalLight light(Oil(), LightModel::kScalar, kStep, 100, 0);
  const RadialLight plane = light.At(0, false);
  for (int r = 1; r < 100; ++r) {
    const double v = 2 * std::numbers::pi / 0.52 * 1.4 * r * kStep;
    EXPECT_NEAR(plane.mean[static_cast<size_t>(r)] / plane.mean[0], std::pow(2 * std::cyl_bessel_j(1, v) / v, 2), 1e-5);
  }
}

// Where a falling function of `step` spacing reaches half of its first value.
double HalfWidth(const std::vector<double>& values, double step) {
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] <= values[0] / 2) {
      return step * (static_cast<double>(i) - (values[0] / 2 - values[i]) / (values[i - 1] - values[i]));
    }
  }
  return std::nan("");
}

TEST(FocalLightTest, WidthsAtLowApertureAreTheKnownOnes) {
  const Optics optics = Dry();
  constexpr double kStep = 0.005;
  const FocalLight light(optics, LightModel::kScalar, kStep, 200, 10);
  EXPECT_NEAR(2 * HalfWidth(light.At(0, false).mean, kStep), 0.5145 * 0.52 / 0.3, 0.02 * 0.5145 * 0.52 / 0.3);
  std::vector<double> axial;
  for (double z = 0; z < 10; z += 0.02) axial.push_back(light.At(z, false).mean[0]);
  const double expected = 0.886 * 0.52 / (1 - std::sqrt(1 - 0.09));
  EXPECT_NEAR(2 * HalfWidth(axial, 0.02), expected, 0.02 * expected);
}

// A slice through the middle plane along x or y, from the centre.
std::vector<double> Slice(const std::vector<float>& psf, const PsfGrid& grid, bool along_x) {
  const Shape3& shape = grid.shape;
  std::vector<double> slice;
  const int64_t plane = shape.z / 2 * shape.y * shape.x;
  for (int64_t i = 0; i < shape.x / 2; ++i) {
    const int64_t y = shape.y / 2 + (along_x ? 0 : i), x = shape.x / 2 + (along_x ? i : 0);
    slice.push_back(static_cast<double>(psf[static_cast<size_t>(plane + y * shape.x + x)]));
  }
  return slice;
}

double Width(const std::vector<float>& psf, const PsfGrid& grid, bool along_x = true) {
  return 2 * HalfWidth(Slice(psf, grid, along_x), grid.x_um);
}

Microscope OilMicroscope(Microscopy kind) {
  Microscope microscope;
  microscope.kind = kind;
  microscope.model = LightModel::kVectorial;
  microscope.emission = Oil();
  microscope.excitation_um = 0.488;
  return microscope;
}

constexpr PsfGrid kFine{.shape = {1, 121, 121}, .z_um = 0.1, .y_um = 0.01, .x_um = 0.01};

std::vector<float> Make(const Microscope& microscope, const PsfGrid& grid = kFine) {
  return MakePsf(microscope, grid, 2);
}

TEST(MicroscopeTest, PolarisedLightMakesAnEllipseAlongItsPolarisation) {
  Microscope microscope = OilMicroscope(Microscopy::kConfocal);
  microscope.pinhole_au = 20;  // what remains is the illumination
  const std::vector<float> circular = Make(microscope);
  EXPECT_NEAR(Width(circular, kFine, true), Width(circular, kFine, false), 1e-6);
  microscope.polarised = true;
  const std::vector<float> ellipse = Make(microscope);
  EXPECT_GT(Width(ellipse, kFine, true), 1.15 * Width(ellipse, kFine, false));
}

TEST(MicroscopeTest, APinholeNarrowsUntilIlluminationTimesDetectionIsLeft) {
  Microscope confocal = OilMicroscope(Microscopy::kConfocal);
  double before = 0;
  for (const double pinhole : {0.05, 0.5, 1.0, 3.0}) {
    confocal.pinhole_au = pinhole;
    const double width = Width(Make(confocal), kFine);
    EXPECT_GT(width, before);
    before = width;
  }
  EXPECT_LT(before, Width(Make(OilMicroscope(Microscopy::kWidefield)), kFine));
  // The smallest pinhole: the product of both lights.
  confocal.pinhole_au = 0.005;
  const std::vector<float> psf = Make(confocal);
  Microscope emission = OilMicroscope(Microscopy::kWidefield), excitation = emission;
  excitation.emission.wavelength_um = 0.488;
  const std::vector<float> detected = Make(emission), lit = Make(excitation);
  const size_t centre = psf.size() / 2;
  for (const size_t away : {5U, 10U, 20U}) {
    const double product = static_cast<double>(detected[centre + away]) * static_cast<double>(lit[centre + away]) /
                           (static_cast<double>(detected[centre]) * static_cast<double>(lit[centre]));
    EXPECT_NEAR(static_cast<double>(psf[centre + away] / psf[centre]), product, 2e-3 * product + 1e-5);
  }
}

TEST(MicroscopeTest, TwoPhotonsAreTheSquareOfOne) {
  Microscope two = OilMicroscope(Microscopy::kTwoPhoton);
  two.excitation_um = 0.9;
  Microscope one = OilMicroscope(Microscopy::kWidefield);
  one.emission.wavelength_um = 0.9;
  const std::vector<float> squared = Make(two), plain = Make(one);
  const size_t centre = squared.size() / 2;
  const auto ratio = [&](const std::vector<float>& psf) { return static_cast<double>(psf[centre + 15] / psf[centre]); };
  EXPECT_NEAR(ratio(squared), ratio(plain) * ratio(plain), 2e-3);
}

TEST(MicroscopeTest, ALightSheetCutsPlanesAway) {
  Microscope sheet = OilMicroscope(Microscopy::kLightSheet);
  sheet.sheet_fwhm_um = 1;
  const PsfGrid grid{.shape = {21, 31, 31}, .z_um = 0.1, .y_um = 0.05, .x_um = 0.05};
  const std::vector<float> lit = Make(sheet, grid), all = Make(OilMicroscope(Microscopy::kWidefield), grid);
  const auto at = [&](const std::vector<float>& psf, int64_t z) {
    return static_cast<double>(psf[static_cast<size_t>((z * 31 + 15) * 31 + 15)]);
  };
  EXPECT_NEAR(at(lit, 15) / at(lit, 10), 0.5 * at(all, 15) / at(all, 10), 1e-4 * at(all, 15) / at(all, 10));
}

TEST(MicroscopeTest, DepletionNarrowsByTheRootOfItsSaturation) {
  Microscope sted = OilMicroscope(Microscopy::kSted);
  sted.depletion_um = 0.775;
  sted.saturation = 1e-6;
  const double without = Width(Make(sted), kFine);
  sted.saturation = 20;
  const double with = Width(Make(sted), kFine);
  sted.saturation = 80;
  EXPECT_LT(with, 0.6 * without);
  EXPECT_NEAR(Width(Make(sted), kFine) / with, 0.5, 0.08);
}

TEST(MicroscopeTest, PixelsHoldTheMeanOverTheirArea) {
  Microscope microscope = OilMicroscope(Microscopy::kWidefield);
  const PsfGrid grid{.shape = {3, 21, 21}, .z_um = 0.3, .y_um = 0.1, .x_um = 0.08};
  const PsfGrid fine{.shape = {3, 189, 189}, .z_um = 0.3, .y_um = 0.1 / 9, .x_um = 0.08 / 9};
  const std::vector<float> pixels = Make(microscope, grid), parts = Make(microscope, fine);
  double error = 0, norm = 0, sum = 0;
  for (int64_t z = 0; z < 3; ++z) {
    for (int64_t y = 0; y < 21; ++y) {
      for (int64_t x = 0; x < 21; ++x) {
        double mean = 0;
        for (int64_t v = 9 * y; v < 9 * y + 9; ++v) {
          for (int64_t u = 9 * x; u < 9 * x + 9; ++u)
            mean += static_cast<double>(parts[static_cast<size_t>((z * 189 + v) * 189 + u)]);
        }
        const auto value = static_cast<double>(pixels[static_cast<size_t>((z * 21 + y) * 21 + x)]);
        error += (value - mean) * (value - mean);
        norm += mean * mean;
        sum += value;
      }
    }
  }
  EXPECT_LT(std::sqrt(error / norm), 1e-3);
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(MicroscopeTest, DepthMakesPlanesBelowAndAboveTheFocusDiffer) {
  Microscope microscope;
  microscope.model = LightModel::kScalar;
  microscope.emission = OilIntoWater(10);
  const PsfGrid grid{.shape = {41, 31, 31}, .z_um = 0.1, .y_um = 0.05, .x_um = 0.05};
  const std::vector<float> psf = Make(microscope, grid);
  const auto peak = [&](int64_t z) { return static_cast<double>(psf[static_cast<size_t>((z * 31 + 15) * 31 + 15)]); };
  int64_t brightest = 0;
  for (int64_t z = 0; z < 41; ++z) brightest = peak(z) > peak(brightest) ? z : brightest;
  EXPECT_EQ(brightest, 20) << "the best focus";
  EXPECT_GT(std::abs(peak(28) - peak(12)), 0.2 * std::max(peak(28), peak(12)));
  microscope.emission.depth_um = 0;
  microscope.emission.ri_sample = 1.515;
  const std::vector<float> even = Make(microscope, grid);
  for (size_t i = 0; i < 31 * 31; ++i) EXPECT_NEAR(even[12 * 961 + i], even[28 * 961 + i], 1e-7);
}

}  // namespace
}  // namespace deconvoy::worker
