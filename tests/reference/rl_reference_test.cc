// The worker's Richardson-Lucy against the same formula in double precision, in every combination of its options.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "tests/reference/back_projectors.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

// What is run, in the worker's words.
struct Setting {
  Size size;
  v1::Boundary boundary = v1::EXTEND;
  std::string acceleration = "heavy-ball";
  std::string initial = "mean";
  std::map<std::string, std::string> projector = {};
  bool masked = false;
  int iterations = 20;
};

// The boundary modes as a problem on a circle: where y lies in the domain.
struct Placed {
  Volume y;  // on the whole domain, 0 where not measured
  Volume m;
  Shape3 domain;
};

Placed Place(const Volume& y, const Volume& m, const Shape3& psf, v1::Boundary boundary) {
  if (boundary == v1::PERIODIC) return {y, m, {y.nz, y.ny, y.nx}};
  if (boundary == v1::MIRROR) {
    const Shape3 d{y.nz + psf.z, y.ny + psf.y, y.nx + psf.x};
    return {Reflected(y, d.z, d.y, d.x, psf.z / 2, psf.y / 2, psf.x / 2), Volume(d.z, d.y, d.x, 1), d};
  }
  const Shape3 d{y.nz + psf.z - 1, y.ny + psf.y - 1, y.nx + psf.x};  // one more than needed along x
  return {Padded(y, d.z, d.y, d.x), Padded(m, d.z, d.y, d.x), d};
}

Acceleration AccelerationOf(const std::string& name) {
  return name == "none"         ? Acceleration::kNone
         : name == "heavy-ball" ? Acceleration::kHeavyBall
                                : Acceleration::kBiggsAndrews;
}

std::function<Volume(const Volume&)> BackProjector(const std::map<std::string, std::string>& parameters, const Psf& psf,
                                                   const Spectrum& otf) {
  const auto value = [&](const char* name, const char* otherwise) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string(otherwise) : found->second;
  };
  const std::string kind = value("back_projector", "matched");
  if (kind == "matched") return {};
  const Spectrum filter =
      kind == "otf-masked-wiener"
          ? OtfMaskedWiener(otf, std::stod(value("back_projector_alpha", "5e-3")))
          : WienerButterworth(psf, otf, std::stod(value("back_projector_alpha", "5e-2")),
                              std::stoi(value("butterworth_order", "10")), value("epsilon", "exact") == "published");
  return [filter](const Volume& q) { return Filtered(q, filter); };
}

// The voxels of `over` in the first ones of `under`.
Volume Overlaid(Volume under, const Volume& over) {
  for (int64_t z = 0; z < over.nz; ++z)
    for (int64_t y = 0; y < over.ny; ++y)
      for (int64_t x = 0; x < over.nx; ++x) under.at(z, y, x) = over.at(z, y, x);
  return under;
}

struct Errors {
  double worker = 0;    // how far the worker is from the formula
  double rounding = 0;  // how far the formula itself goes with rounding errors
};

Errors Compare(const Setting& setting, const Psf& psf, const Volume& image, std::mt19937_64& random) {
  constexpr double kBackground = 2.5;
  const Shape3& n = setting.size.image;
  Volume m(n.z, n.y, n.x, 1);
  if (setting.masked) {
    for (double& value : m.values) value = random() % 5 == 0 ? 0 : 1;
  }
  const double mean = static_cast<float>(MeanOf(image)), variance = static_cast<float>(VarianceOf(image));
  const Placed placed = Place(image, m, setting.size.psf, setting.boundary);
  const Shape3& d = placed.domain;
  const Volume& given = setting.boundary == v1::EXTEND ? image : placed.y;  // what the engine is given as measured
  const Volume previous = InSinglePrecision(RandomVolume(given.nz, given.ny, given.nx, 10, 30, random));

  const Spectrum otf = OtfOf(psf, d.z, d.y, d.x);
  Volume x0(d.z, d.y, d.x, mean);
  const bool continued = setting.initial == "image" || setting.initial == "wiener";
  if (continued && setting.boundary == v1::EXTEND) x0 = Continued(placed.y, placed.m, psf, mean);
  if (setting.initial != "mean") x0 = Overlaid(x0, setting.initial == "previous" ? previous : given);
  if (setting.initial == "wiener") x0 = WienerStart(x0, otf, mean, variance, kBackground);
  RichardsonLucyOptions options{.iterations = setting.iterations,
                                .acceleration = AccelerationOf(setting.acceleration),
                                .background = kBackground,
                                .mean = mean,
                                .back_projector = BackProjector(setting.projector, psf, otf),
                                .matched_steps = 1,
                                .watch = {}};
  const auto formula = [&] {
    return Cropped(RichardsonLucy(placed.y, placed.m, psf, x0, options), given.nz, given.ny, given.nx);
  };
  const Volume expected = formula();
  options.rounding = kRoundingErrors;
  const Volume rounded = formula();

  std::map<std::string, std::string> parameters = setting.projector;
  parameters["iterations"] = std::to_string(setting.iterations);
  parameters["acceleration"] = setting.acceleration;
  parameters["initial"] = setting.initial;
  const absl::StatusOr<Volume> result = RunRl({.y = given,
                                               .domain = d,
                                               .origin = {},
                                               .psf = psf,
                                               .parameters = parameters,
                                               .boundary = setting.boundary,
                                               .background = kBackground,
                                               .mean = mean,
                                               .variance = variance,
                                               .mask = setting.masked ? &m : nullptr,
                                               .previous = setting.initial == "previous" ? &previous : nullptr});
  EXPECT_OK(result);
  return {.worker = RelativeError(*result, expected), .rounding = RelativeError(rounded, expected)};
}

std::string Name(const Setting& setting) {
  std::string name = fmt::format("{}_{}_{}_{}", NameOf(setting.size), v1::Boundary_Name(setting.boundary),
                                 setting.acceleration, setting.initial);
  for (const auto& [parameter, value] : setting.projector) name += "_" + value;
  if (setting.masked) name += "_masked";
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

using Case = std::tuple<Size, v1::Boundary, std::string, std::string>;

Setting SettingOf(const Case& c) {
  return {
      .size = std::get<0>(c), .boundary = std::get<1>(c), .acceleration = std::get<2>(c), .initial = std::get<3>(c)};
}

class RlReferenceTest : public ::testing::TestWithParam<Case> {};

TEST_P(RlReferenceTest, EqualsTheFormula) {
  std::mt19937_64 random(testing::Seed());
  const Setting setting = SettingOf(GetParam());
  const Shape3 &n = setting.size.image, &p = setting.size.psf;
  const Volume image = InSinglePrecision(RandomImage(n.z, n.y, n.x, random));
  const Errors errors = Compare(setting, RandomPsf(p.z, p.y, p.x, random), image, random);
  // This momentum is taken from inner products, to which the margin adds voxels that the data hardly determine.
  EXPECT_LE(errors.worker, setting.acceleration == "biggs-andrews" ? ToleranceOf(errors.rounding) : kTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, RlReferenceTest,
                         ::testing::Combine(::testing::ValuesIn(kSizes),
                                            ::testing::Values(v1::EXTEND, v1::PERIODIC, v1::MIRROR),
                                            ::testing::Values("none", "heavy-ball", "biggs-andrews"),
                                            ::testing::Values("mean", "image", "wiener", "previous")),
                         [](const auto& test) { return Name(SettingOf(test.param)); });

// --- Back projectors ---

// Wide enough that the cutoff lies within the sampled frequencies along the longer axes.
Psf WidePsf(const Shape3& shape, std::mt19937_64& random) {
  Psf psf{.h = RandomVolume(shape.z, shape.y, shape.x, 0.7, 1.3, random),
          .cz = shape.z / 2,
          .cy = (shape.y - 1) / 2,
          .cx = shape.x / 2};
  double sum = 0;
  const auto square = [](int64_t i, int64_t n) {
    const double d = (static_cast<double>(i) - static_cast<double>(n - 1) / 2) / (static_cast<double>(n) / 4);
    return d * d;
  };
  for (int64_t z = 0; z < shape.z; ++z)
    for (int64_t y = 0; y < shape.y; ++y)
      for (int64_t x = 0; x < shape.x; ++x) {
        psf.h.at(z, y, x) *= std::exp(-(square(z, shape.z) + square(y, shape.y) + square(x, shape.x)) / 2);
        sum += psf.h.at(z, y, x);
      }
  for (double& value : psf.h.values) value /= sum;
  psf.h = InSinglePrecision(psf.h);
  return psf;
}

// What a microscope with this PSF may see. Of an image that no specimen explains, other back projectors than the
// adjoint make something that grows without bound, and rounding with it.
Volume BlurredImage(const Shape3& n, const Psf& psf, std::mt19937_64& random) {
  return InSinglePrecision(Convolve(RandomImage(n.z, n.y, n.x, random), psf));
}

const std::map<std::string, std::string> kProjectors[] = {
    {{"back_projector", "wiener-butterworth"}},
    {{"back_projector", "wiener-butterworth"},
     {"epsilon", "published"},
     {"butterworth_order", "3"},
     {"back_projector_alpha", "0.1"}},
    {{"back_projector", "otf-masked-wiener"}},
};

using ProjectorCase = std::tuple<Size, v1::Boundary, std::string, std::map<std::string, std::string>, bool>;

Setting SettingOf(const ProjectorCase& c) {
  return {.size = std::get<0>(c),
          .boundary = std::get<1>(c),
          .acceleration = std::get<2>(c),
          .initial = "image",
          .projector = std::get<3>(c),
          .masked = std::get<4>(c),
          // With momentum this one grows without bound on images as small as these.
          .iterations = std::get<2>(c) != "none" && std::get<3>(c) == kProjectors[2] ? 6 : 20};
}

class BackProjectorReferenceTest : public ::testing::TestWithParam<ProjectorCase> {};

TEST_P(BackProjectorReferenceTest, EqualsTheFormula) {
  std::mt19937_64 random(testing::Seed());
  const Setting setting = SettingOf(GetParam());
  const Psf psf = WidePsf(setting.size.psf, random);
  const Errors errors = Compare(setting, psf, BlurredImage(setting.size.image, psf, random), random);
  // These take back more than the adjoint.
  EXPECT_LE(errors.worker, ToleranceOf(errors.rounding));
}

INSTANTIATE_TEST_SUITE_P(All, BackProjectorReferenceTest,
                         ::testing::Combine(::testing::ValuesIn(kSizes),
                                            ::testing::Values(v1::EXTEND, v1::PERIODIC, v1::MIRROR),
                                            ::testing::Values("none", "heavy-ball", "biggs-andrews"),
                                            ::testing::ValuesIn(kProjectors), ::testing::Values(false)),
                         [](const auto& test) { return Name(SettingOf(test.param)); });

INSTANTIATE_TEST_SUITE_P(Masked, BackProjectorReferenceTest,
                         ::testing::Combine(::testing::ValuesIn(kSizes), ::testing::Values(v1::EXTEND, v1::PERIODIC),
                                            ::testing::Values("heavy-ball"),
                                            ::testing::Values(std::map<std::string, std::string>{}, kProjectors[0],
                                                              kProjectors[2]),
                                            ::testing::Values(true)),
                         [](const auto& test) { return Name(SettingOf(test.param)); });

// The comparison above must notice a PSF that is turned around.
TEST(RlReferenceSensitivityTest, AFlippedAxisIsSeen) {
  std::mt19937_64 random(testing::Seed());
  const Volume image = RandomImage(6, 8, 10, random);
  const Psf psf = RandomPsf(3, 5, 4, random);
  const double mean = MeanOf(image);
  const Volume ones(6, 8, 10, 1);
  const Volume expected =
      RichardsonLucy(image, ones, psf, image, {.iterations = 5, .mean = mean, .back_projector = {}, .watch = {}});
  for (int axis = 0; axis < 3; ++axis) {
    Psf flipped = psf;
    for (int64_t z = 0; z < 3; ++z)
      for (int64_t y = 0; y < 5; ++y)
        for (int64_t x = 0; x < 4; ++x)
          flipped.h.at(z, y, x) = psf.h.at(axis == 0 ? 2 - z : z, axis == 1 ? 4 - y : y, axis == 2 ? 3 - x : x);
    ASSERT_OK_AND_ASSIGN(const Volume result,
                         RunRl({.y = image,
                                .domain = {6, 8, 10},
                                .origin = {},
                                .psf = flipped,
                                .parameters = {{"iterations", "5"}, {"acceleration", "none"}, {"initial", "image"}},
                                .boundary = v1::PERIODIC}));
    EXPECT_GT(RelativeError(result, expected), 1e-3) << "axis " << axis;
  }
}

// The measured box may lie anywhere in the domain.
TEST(RlReferencePlacementTest, MeasuredBoxOffTheOrigin) {
  std::mt19937_64 random(testing::Seed());
  const Volume image = RandomImage(5, 7, 9, random);
  const Psf psf = RandomPsf(3, 4, 5, random);
  const auto run = [&](const Voxel& origin) {
    return RunRl({.y = image,
                  .domain = {8, 11, 14},
                  .origin = origin,
                  .psf = psf,
                  .parameters = {{"iterations", "20"}},
                  .boundary = v1::EXTEND,
                  .background = 1});
  };
  ASSERT_OK_AND_ASSIGN(const Volume first, run({0, 0, 0}));
  ASSERT_OK_AND_ASSIGN(const Volume shifted, run({2, 3, 4}));
  EXPECT_LE(RelativeError(shifted, first), kTolerance);
}

}  // namespace
}  // namespace deconvoy::reference
