// Zernike modes, and what they do to a PSF.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "worker/psf/theory/aberrated_light.h"
#include "worker/psf/theory/focal_light.h"
#include "worker/psf/theory/microscope.h"
#include "worker/psf/theory/optics.h"
#include "worker/psf/theory/polar_light.h"
#include "worker/psf/theory/quadrature.h"
#include "worker/psf/theory/zernike.h"

namespace deconvoy::worker {
namespace {

constexpr double kWavelength = 0.52;

Optics Oil(std::vector<ZernikeTerm> zernike = {}) {
  Optics optics;
  optics.na = 1.4;
  optics.wavelength_um = kWavelength;
  optics.zernike = std::move(zernike);
  return optics;
}

Optics Dry(double na, std::vector<ZernikeTerm> zernike = {}) {
  Optics optics;
  optics.na = na;
  optics.wavelength_um = kWavelength;
  optics.ri_immersion = optics.ri_immersion_design = optics.ri_sample = 1;
  optics.zernike = std::move(zernike);
  return optics;
}

ZernikeTerm Term(int noll, double waves) {
  return {.noll = noll, .rms_um = waves * kWavelength};
}

std::vector<float> Make(const Optics& optics, const PsfGrid& grid, LightModel model = LightModel::kVectorial) {
  Microscope microscope;
  microscope.model = model;
  microscope.emission = optics;
  return MakePsf(microscope, grid, 2);
}

double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(error / norm);
}

TEST(ZernikeTest, ModesAreOrthonormalOverTheDisc) {
  constexpr int kModes = 37, kAngles = 64;
  const Quadrature radii = GaussLegendre(0, 1, 20);
  for (int i = 1; i <= kModes; ++i) {
    for (int j = i; j <= kModes; ++j) {
      double sum = 0;
      for (size_t r = 0; r < radii.nodes.size(); ++r) {
        for (int k = 0; k < kAngles; ++k) {
          const double theta = 2 * std::numbers::pi * k / kAngles;
          sum += radii.weights[r] * 2 * radii.nodes[r] / kAngles * Zernike(i, radii.nodes[r], theta) *
                 Zernike(j, radii.nodes[r], theta);
        }
      }
      EXPECT_NEAR(sum, i == j ? 1 : 0, 1e-10) << i << " " << j;
    }
  }
}

TEST(ZernikeTest, ModesHaveNollsNumbers) {
  const double r = 0.6, t = 0.7;
  EXPECT_NEAR(Zernike(1, r, t), 1, 1e-12);
  EXPECT_NEAR(Zernike(2, r, t), 2 * r * std::cos(t), 1e-12);
  EXPECT_NEAR(Zernike(3, r, t), 2 * r * std::sin(t), 1e-12);
  EXPECT_NEAR(Zernike(4, r, t), std::sqrt(3.0) * (2 * r * r - 1), 1e-12);
  EXPECT_NEAR(Zernike(5, r, t), std::sqrt(6.0) * r * r * std::sin(2 * t), 1e-12);
  EXPECT_NEAR(Zernike(8, r, t), std::sqrt(8.0) * (3 * r * r * r - 2 * r) * std::cos(t), 1e-12);
  EXPECT_NEAR(Zernike(11, r, t), std::sqrt(5.0) * (6 * r * r * r * r - 6 * r * r + 1), 1e-12);
  EXPECT_NEAR(Zernike(14, r, t), std::sqrt(10.0) * r * r * r * r * std::cos(4 * t), 1e-12);
}

// The integral over the pupil written out, sharing no code but that of the modes.
class WrittenOut {
 public:
  WrittenOut(const Optics& optics, double stage_um) : optics_(optics) {
    for (int i = 0; i < kRadii; ++i) {
      const double rho = (i + 0.5) / kRadii, s = optics.na * rho;
      const double focus = -stage_um * std::sqrt(optics.ri_immersion * optics.ri_immersion - s * s);
      for (int j = 0; j < kAngles; ++j) {
        double path = focus;
        for (const ZernikeTerm& term : optics.zernike) path += term.rms_um * Zernike(term.noll, rho, Theta(j));
        paths_.push_back(path);
      }
    }
  }

  double At(double r, double phi) const {
    const double k = 2 * std::numbers::pi / optics_.wavelength_um;
    std::complex<double> sum = 0;
    for (int i = 0; i < kRadii; ++i) {
      const double rho = (i + 0.5) / kRadii;
      for (int j = 0; j < kAngles; ++j) {
        const double path = paths_[static_cast<size_t>(i * kAngles + j)];
        sum += rho * std::polar(1.0, k * (path - optics_.na * rho * r * std::cos(Theta(j) - phi)));
      }
    }
    return std::norm(sum / static_cast<double>(kRadii * kAngles));
  }

 private:
  static constexpr int kRadii = 300, kAngles = 128;
  static double Theta(int j) { return 2 * std::numbers::pi * j / kAngles; }

  const Optics& optics_;
  std::vector<double> paths_;
};

TEST(AberratedLightTest, AgreesWithTheIntegralOverThePupil) {
  const Optics optics = Oil({Term(6, 0.1), Term(7, -0.15), Term(8, 0.2), Term(11, 0.1), Term(14, 0.1)});
  constexpr double kStep = 0.11;
  constexpr int kCount = 12;
  const AberratedLight light(optics, LightModel::kScalar, kStep, kCount, 1);
  double error = 0, norm = 0;
  for (const double z : {-0.7, 0.0, 0.4}) {
    const PolarLight plane = light.At(z, false);
    const WrittenOut reference(optics, z);
    for (size_t r = 0; r < kCount; ++r) {
      for (size_t k = 0; k < plane.directions; k += plane.directions / 4 + 1) {
        const double phi = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(plane.directions);
        const double expected = reference.At(kStep * static_cast<double>(r), phi);
        error += std::pow(plane.circle(r)[k] - expected, 2);
        norm += expected * expected;
      }
    }
  }
  EXPECT_LT(std::sqrt(error / norm), 1e-3);
}

TEST(AberratedLightTest, WithoutStrengthItIsTheRoundLight) {
  constexpr double kStep = 0.02;
  constexpr int kCount = 60;
  for (const LightModel model :
       {LightModel::kVectorial, LightModel::kScalar, LightModel::kDebye, LightModel::kVortex}) {
    for (const bool polarised : {false, true}) {
      const FocalLight round(Oil(), model, kStep, kCount, 1);
      const AberratedLight aberrated(Oil({Term(8, 1e-9)}), model, kStep, kCount, 1);
      const RadialLight expected = round.At(0.3, polarised && model == LightModel::kVectorial);
      const PolarLight found = aberrated.At(0.3, polarised && model == LightModel::kVectorial);
      const double peak = *std::max_element(expected.mean.begin(), expected.mean.end());
      for (size_t r = 0; r < kCount; ++r) {
        for (size_t k = 0; k < found.directions; ++k) {
          const double phi = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(found.directions);
          const double cosine = expected.cosine.empty() ? 0 : expected.cosine[r] * std::cos(2 * phi);
          EXPECT_NEAR(found.circle(r)[k], expected.mean[r] + cosine, 1e-5 * peak) << static_cast<int>(model);
        }
      }
    }
  }
}

TEST(AberratedLightTest, AberrationsMoveLightButLoseNone) {
  const Optics optics = Oil({Term(7, 0.1), Term(6, 0.08)});
  constexpr double kStep = 0.01;
  constexpr int kCount = 500;
  for (const LightModel model : {LightModel::kVectorial, LightModel::kScalar}) {
    const AberratedLight light(optics, model, kStep, kCount, 1);
    const PolarLight plane = light.At(0.2, false);
    double sum = 0;
    for (size_t r = 0; r < kCount; ++r) {
      double circle = 0;
      for (const double v : plane.circle(r)) circle += v;
      sum += 2 * std::numbers::pi * kStep * kStep * static_cast<double>(r) * circle /
             static_cast<double>(plane.directions);
    }
    // The rings beyond 5 um hold about 2 / (pi k NA r) of it.
    EXPECT_NEAR(sum / WholeLight(optics, model), 1, 0.02);
  }
}

constexpr PsfGrid kPlane{.shape = {1, 61, 61}, .z_um = 0.1, .y_um = 0.02, .x_um = 0.02};

TEST(AberrationTest, PistonDoesNothing) {
  EXPECT_LT(RelativeError(Make(Oil({Term(1, 0.3)}), kPlane), Make(Oil(), kPlane)), 1e-6);
}

TEST(AberrationTest, TiltShiftsByTwiceItsStrengthOverTheAperture) {
  constexpr int64_t kVoxels = 5;
  const double waves = static_cast<double>(kVoxels) * kPlane.x_um * 1.4 / 2 / kWavelength;
  const std::vector<float> still = Make(Oil(), kPlane);
  const std::vector<float> along_x = Make(Oil({Term(2, waves)}), kPlane), along_y = Make(Oil({Term(3, waves)}), kPlane);
  const float peak = *std::max_element(still.begin(), still.end());
  // The whole plane's light differs a little, since its rim cuts another part of the rings.
  const auto ratio = static_cast<double>(along_x[30 * 61 + 30 + kVoxels] / peak);
  EXPECT_NEAR(ratio, 1, 0.01);
  for (int64_t y = 10; y < 51; ++y) {
    for (int64_t x = 10; x < 51; ++x) {
      const auto at = [](int64_t row, int64_t column) { return static_cast<size_t>(row * 61 + column); };
      const double expected = static_cast<double>(still[at(y, x)]) * ratio, margin = 2e-3 * static_cast<double>(peak);
      EXPECT_NEAR(static_cast<double>(along_x[at(y, x + kVoxels)]), expected, margin);
      EXPECT_NEAR(static_cast<double>(along_y[at(y + kVoxels, x)]), expected, margin);
    }
  }
}

TEST(AberrationTest, DefocusShiftsTheFocus) {
  const Optics optics = Dry(0.3, {Term(4, 0.2)});
  const FocalLight light(optics, LightModel::kScalar, 0.1, 2, 20);
  double best = 0, brightest = 0;
  for (double z = -15; z <= 15; z += 0.05) {
    const double here = light.At(z, false).mean[0];
    if (here > brightest) brightest = here, best = z;
  }
  EXPECT_NEAR(BestFocus(optics), 0, 1e-2) << "the centre stays";
  const double expected = -4 * std::sqrt(3.0) * 0.2 * kWavelength / (0.3 * 0.3);
  EXPECT_NEAR(best, expected, 0.04 * std::abs(expected));
}

class Strehl : public ::testing::TestWithParam<int> {};

TEST_P(Strehl, FallsWithTheSquareOfSmallAberrations) {
  for (const double waves : {0.03, 0.06}) {
    const Optics optics = Dry(0.5, {Term(GetParam(), waves)});
    const double ideal = FocalLight(Dry(0.5), LightModel::kScalar, 0.05, 8, 1).At(0, false).mean[0];
    const double expected = std::exp(-std::pow(2 * std::numbers::pi * waves, 2));
    double peak = 0;
    if (optics.round()) {
      peak = FocalLight(optics, LightModel::kScalar, 0.05, 8, 1).At(0, false).mean[0];
    } else {
      const PolarLight light = AberratedLight(optics, LightModel::kScalar, 0.05, 8, 1).At(0, false);
      peak = light.circle(0)[0];
    }
    EXPECT_NEAR(peak / ideal, expected, 0.01) << waves;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Strehl, ::testing::Values(4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 22, 37));

TEST(AberrationTest, SphericalAberrationMakesPlanesBelowAndAboveDiffer) {
  const PsfGrid grid{.shape = {21, 31, 31}, .z_um = 0.15, .y_um = 0.05, .x_um = 0.05};
  const auto unevenness = [&](const std::vector<float>& psf) {
    double uneven = 0;
    for (int64_t z = 0; z < 10; ++z) {
      const auto at = [&](int64_t plane) { return static_cast<double>(psf[static_cast<size_t>(plane * 961 + 480)]); };
      uneven = std::max(uneven, std::abs(at(z) - at(20 - z)) / at(10));
    }
    return uneven;
  };
  EXPECT_LT(unevenness(Make(Oil(), grid)), 1e-4);
  EXPECT_GT(unevenness(Make(Oil({Term(11, 0.1)}), grid)), 0.1);
}

TEST(AberrationTest, AstigmatismStretchesAlongXOnOneSideAndAlongYOnTheOther) {
  const PsfGrid grid{.shape = {9, 41, 41}, .z_um = 0.1, .y_um = 0.03, .x_um = 0.03};
  const std::vector<float> psf = Make(Oil({Term(6, 0.1)}), grid);
  // Second moment along x over that along y, of what is bright.
  const auto aspect = [&](int64_t z) {
    double xx = 0, yy = 0;
    const auto begin = psf.begin() + z * 1681;
    const float peak = *std::max_element(begin, begin + 1681);
    for (int64_t i = 0; i < 1681; ++i) {
      const auto v = static_cast<double>(std::max(begin[i] - 0.1F * peak, 0.0F));
      yy += v * static_cast<double>((i / 41 - 20) * (i / 41 - 20));
      xx += v * static_cast<double>((i % 41 - 20) * (i % 41 - 20));
    }
    return xx / yy;
  };
  EXPECT_GT(std::max(aspect(1), aspect(7)), 1.3);
  EXPECT_NEAR(aspect(1) * aspect(7), 1, 0.05);
  EXPECT_NEAR(aspect(4), 1, 0.02);
}

TEST(AberrationTest, ScannedMicroscopesAreAberratedInBothLights) {
  const PsfGrid grid{.shape = {1, 41, 41}, .z_um = 0.1, .y_um = 0.02, .x_um = 0.02};
  Microscope microscope;
  microscope.kind = Microscopy::kConfocal;
  microscope.emission = Oil({Term(8, 0.1)});
  microscope.excitation_um = 0.488;
  microscope.pinhole_au = 0.01;
  const std::vector<float> confocal = MakePsf(microscope, grid, 2);
  // The smallest pinhole: the product of both lights.
  microscope.kind = Microscopy::kWidefield;
  const std::vector<float> detected = MakePsf(microscope, grid, 2);
  microscope.emission.wavelength_um = 0.488;
  const std::vector<float> lit = MakePsf(microscope, grid, 2);
  std::vector<float> product;
  double sum = 0;
  for (size_t i = 0; i < lit.size(); ++i) sum += static_cast<double>(product.emplace_back(lit[i] * detected[i]));
  for (float& v : product) v = static_cast<float>(static_cast<double>(v) / sum);
  EXPECT_LT(RelativeError(confocal, product), 5e-3);
}

TEST(AberrationTest, APinholeAveragesAberratedLightAsItDoesRoundLight) {
  // A tilt shifts both lights alike, so that the aberrated tables must give the round PSF elsewhere.
  const PsfGrid grid{.shape = {1, 41, 41}, .z_um = 0.1, .y_um = 0.03, .x_um = 0.03};
  Microscope microscope;
  microscope.kind = Microscopy::kConfocal;
  microscope.emission = Oil();
  microscope.excitation_um = 0.488;
  const std::vector<float> round = MakePsf(microscope, grid, 2);
  const double shift = 3 * grid.x_um;
  microscope.emission.zernike = {{.noll = 2, .rms_um = shift * 1.4 / 2}};
  const std::vector<float> tilted = MakePsf(microscope, grid, 2);
  const float peak = *std::max_element(round.begin(), round.end());
  for (int64_t y = 8; y < 33; ++y) {
    for (int64_t x = 8; x < 33; ++x) {
      EXPECT_NEAR(tilted[static_cast<size_t>(y * 41 + x + 3)], round[static_cast<size_t>(y * 41 + x)], 3e-3F * peak)
          << x << "," << y;
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
