// What methods tell apart, against a truth that is known: the essential facts behind the table in
// docs/methods/index.md.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/reference/engine.h"
#include "tests/reference/resolution.h"
#include "tests/support/test_support.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

using reference::ResolutionFigures;
using reference::ResolutionTest;
using reference::Volume;

constexpr double kPeakPhotons = 400;

const ResolutionTest& Stacks() {
  static const ResolutionTest& stacks = *new ResolutionTest(testing::Seed(), kPeakPhotons);
  return stacks;
}

ResolutionFigures FiguresOf(const std::string& method, const std::map<std::string, std::string>& parameters = {},
                            v1::Boundary boundary = v1::PERIODIC) {
  return Stacks().Measure([&](const Volume& image) {
    const reference::Psf& psf = Stacks().psf();
    const bool extended = boundary == v1::EXTEND;
    const auto result = reference::RunMethod(
        method, {.y = image,
                 .domain = {extended ? 96 : image.nz, extended ? 96 : image.ny, extended ? 96 : image.nx},
                 .origin = {},
                 .psf = psf,
                 .parameters = parameters,
                 .boundary = boundary,
                 .variance = reference::VarianceOf(image)});
    EXPECT_OK(result);
    return *result;
  });
}

// A measure that does not see the truth, or a blur, measures nothing.
TEST(Resolution, IsReadOffCorrectly) {
  const ResolutionFigures truth = Stacks().OfTruth(), image = Stacks().OfImage();
  for (const auto& [distance, dip] : truth.dips) EXPECT_EQ(dip, 1) << distance;
  EXPECT_NEAR(truth.bead_x, 3, 1e-9);
  EXPECT_NEAR(truth.bead_z, 3, 1e-9);
  EXPECT_EQ(truth.middle, 0);
  EXPECT_NEAR(truth.light, 1, 1e-9);
  EXPECT_LT(truth.wall, 2.5);
  // The PSF's widths, and what the bead's own adds.
  EXPECT_NEAR(image.bead_x, 4.4, 0.5);
  EXPECT_NEAR(image.bead_z, 9.6, 1.2);
  EXPECT_NEAR(image.light, 1, 0.01);
}

TEST(Resolution, RichardsonLucyTellsApartWhatTheImageDoesNot) {
  const ResolutionFigures image = Stacks().OfImage(), rl = FiguresOf("rl");
  EXPECT_LT(image.dips.at(4), 0.12) << "0.8 of the Rayleigh distance";
  EXPECT_GT(rl.dips.at(4), 0.5);
  EXPECT_GT(rl.dips.at(5), 0.8);
  EXPECT_GT(rl.dips.at(5), image.dips.at(5) + 0.3);
  EXPECT_GT(rl.dips.at(6), 0.9);
  for (const auto& [distance, dip] : rl.dips) EXPECT_GE(dip, image.dips.at(distance)) << distance;
}

TEST(Resolution, RichardsonLucyNarrowsBeadsAndWalls) {
  const ResolutionFigures image = Stacks().OfImage(), rl = FiguresOf("rl");
  EXPECT_LT(rl.bead_x, 0.75 * image.bead_x);
  EXPECT_LT(rl.bead_z, 0.75 * image.bead_z);
  EXPECT_LT(rl.wall, 0.75 * image.wall);
  EXPECT_LT(rl.middle, 0.5 * image.middle);
}

TEST(Resolution, MoreIterationsTellMoreApart) {
  const ResolutionFigures few = FiguresOf("rl", {{"iterations", "5"}}), many = FiguresOf("rl", {{"iterations", "40"}});
  EXPECT_GT(many.dips.at(4), few.dips.at(4) + 0.2);
  EXPECT_LT(many.bead_x, 0.9 * few.bead_x);
}

TEST(Resolution, NoMethodBlursOrLosesPairsOfTheImage) {
  const ResolutionFigures image = Stacks().OfImage();
  for (const Method* method : AllMethods()) {
    const std::string& name = method->description().name();
    if (name == "naive-inverse") continue;  // noise alone
    const ResolutionFigures found = FiguresOf(name);
    EXPECT_LE(found.bead_x, image.bead_x * 1.02) << name;
    EXPECT_GE(found.dips.at(6), image.dips.at(6)) << name;
  }
}

// Without background, and with the specimen inside the volume, all the light is where it came from.
TEST(Resolution, PoissonMethodsKeepTheLight) {
  for (const char* name : {"rl", "rl-tv", "rl-gc", "admm"}) {
    if (FindMethod(name) == nullptr) continue;
    for (const v1::Boundary boundary : {v1::PERIODIC, v1::EXTEND}) {
      EXPECT_NEAR(FiguresOf(name, {}, boundary).light, 1, 0.02) << name << " " << v1::Boundary_Name(boundary);
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
