// The worker's Richardson-Lucy against the same formula in double precision, in every combination of its options.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

constexpr double kTolerance = 1e-5;  // relative L2 after 20 iterations

struct Size {
  Shape3 measured;
  Shape3 psf;
};

const Size kSizes[] = {
    {{6, 8, 10}, {3, 3, 5}},   // even
    {{5, 9, 7}, {3, 5, 3}},    // odd
    {{7, 11, 13}, {5, 3, 4}},  // prime, an even PSF
    {{1, 16, 15}, {1, 5, 5}},  // one plane
    {{1, 23, 1}, {1, 7, 1}},   // one column
    {{1, 1, 20}, {1, 1, 6}},   // one row
    {{9, 1, 1}, {3, 1, 1}},    // one line along z
    {{4, 6, 5}, {6, 9, 8}},    // a PSF larger than the volume
};

using Case = std::tuple<Size, v1::Boundary, std::string, std::string>;

class RlReferenceTest : public ::testing::TestWithParam<Case> {};

// The boundary modes as a problem on a circle: where y lies in the domain.
struct Placed {
  Volume y;  // on the whole domain, 0 where not measured
  Volume m;
  Shape3 domain;
};

Placed Place(const Volume& y, const Shape3& psf, v1::Boundary boundary) {
  if (boundary == v1::PERIODIC) return {y, Volume(y.nz, y.ny, y.nx, 1), {y.nz, y.ny, y.nx}};
  if (boundary == v1::MIRROR) {
    const Shape3 d{y.nz + psf.z, y.ny + psf.y, y.nx + psf.x};
    return {Reflected(y, d.z, d.y, d.x, psf.z / 2, psf.y / 2, psf.x / 2), Volume(d.z, d.y, d.x, 1), d};
  }
  const Shape3 d{y.nz + psf.z - 1, y.ny + psf.y - 1, y.nx + psf.x};  // one more than needed along x
  return {Padded(y, d.z, d.y, d.x), Padded(Volume(y.nz, y.ny, y.nx, 1), d.z, d.y, d.x), d};
}

TEST_P(RlReferenceTest, EqualsTheFormula) {
  const auto& [size, boundary, acceleration, initial] = GetParam();
  std::mt19937_64 random(testing::Seed());
  const Shape3& n = size.measured;
  Volume image = RandomImage(n.z, n.y, n.x, random);
  for (double& value : image.values) value = static_cast<float>(value);
  const Psf psf = RandomPsf(size.psf.z, size.psf.y, size.psf.x, random);
  const double mean = static_cast<float>(MeanOf(image));
  const Placed placed = Place(image, size.psf, boundary);

  const bool extend = boundary == v1::EXTEND;
  const Volume& given = extend ? image : placed.y;  // what the engine is given as measured
  Volume previous = RandomVolume(given.nz, given.ny, given.nx, 10, 30, random);
  for (double& value : previous.values) value = static_cast<float>(value);

  Volume x0(placed.domain.z, placed.domain.y, placed.domain.x, mean);
  const Volume& start = initial == "image" ? given : previous;
  if (initial != "mean") {
    for (int64_t z = 0; z < start.nz; ++z)
      for (int64_t y = 0; y < start.ny; ++y)
        for (int64_t x = 0; x < start.nx; ++x) x0.at(z, y, x) = start.at(z, y, x);
  }
  const Volume expected = RichardsonLucy(
      placed.y, placed.m, psf, x0,
      {.iterations = 20, .heavy_ball = acceleration == "heavy-ball", .background = 2.5, .mean = mean, .watch = {}});

  ASSERT_OK_AND_ASSIGN(
      const Volume result,
      RunRl({.y = given,
             .domain = placed.domain,
             .origin = {},
             .psf = psf,
             .parameters = {{"iterations", "20"}, {"acceleration", acceleration}, {"initial", initial}},
             .boundary = boundary,
             .background = 2.5,
             .mean = mean,
             .previous = initial == "previous" ? &previous : nullptr}));
  EXPECT_LE(RelativeError(result, Cropped(expected, given.nz, given.ny, given.nx)), kTolerance);
}

std::string NameOf(const ::testing::TestParamInfo<Case>& test) {
  const auto& [size, boundary, acceleration, initial] = test.param;
  return fmt::format("{}x{}x{}_{}_{}_{}", size.measured.z, size.measured.y, size.measured.x,
                     v1::Boundary_Name(boundary), acceleration == "none" ? "none" : "heavyball", initial);
}

INSTANTIATE_TEST_SUITE_P(All, RlReferenceTest,
                         ::testing::Combine(::testing::ValuesIn(kSizes),
                                            ::testing::Values(v1::EXTEND, v1::PERIODIC, v1::MIRROR),
                                            ::testing::Values("none", "heavy-ball"),
                                            ::testing::Values("mean", "image", "previous")),
                         NameOf);

// The comparison above must notice a PSF that is turned around.
TEST(RlReferenceSensitivityTest, AFlippedAxisIsSeen) {
  std::mt19937_64 random(testing::Seed());
  const Volume image = RandomImage(6, 8, 10, random);
  const Psf psf = RandomPsf(3, 5, 4, random);
  const double mean = MeanOf(image);
  const Volume ones(6, 8, 10, 1);
  const Volume expected = RichardsonLucy(image, ones, psf, image, {.iterations = 5, .mean = mean, .watch = {}});
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
