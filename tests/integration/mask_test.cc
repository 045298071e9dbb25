// Dead and saturated voxels, from the command line to the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr Shape3 kShape{32, 64, 64};
constexpr Sigma kPsf{2.5, 1.5, 1.5};
constexpr double kBackground = 10, kSaturation = 400;

// A specimen with one bead ten times as bright as the others, its image, and what a camera with 2 % dead voxels and a
// limit makes of that.
struct Scene {
  Scene() {
    std::vector<Bead> beads = RandomBeads(kShape, 60, 20000, {8, 6, 6}, 7);
    beads.front().light = 200000;
    truth = Truth(beads, kShape);
    const std::vector<double> image = Noisy(Blurred(beads, kShape, kPsf), kBackground, 8);
    std::vector<double> recorded = image, mask(image.size(), 1);
    std::mt19937_64 random(9);
    for (size_t i = 0; i < image.size(); ++i) {
      recorded[i] = std::min(image[i], kSaturation);
      if (random() % 50 != 0) continue;
      recorded[i] = 0;
      mask[i] = 0;
    }
    SaveStacks(folder.path() / "image.ome.tif", 1, 1, kShape, 0.2, {image});
    SaveStacks(folder.path() / "recorded.ome.tif", 1, 1, kShape, 0.2, {recorded});
    SaveStacks(folder.path() / "psf.ome.tif", 1, 1, {17, 11, 11}, 0.2,
               {GaussianPsf({17, 11, 11}, kPsf.z, kPsf.y, kPsf.x)});
    EXPECT_OK(SaveImage(folder.path() / "mask.ome.tif", MakeSpec({1, 1, kShape.z, kShape.y, kShape.x}, v1::U8), mask));
  }

  std::vector<double> Run(const std::string& name, const std::vector<std::string>& options) const {
    return Deconvolve(folder.path() / (name + ".ome.tif"), folder.path() / "psf.ome.tif", folder.path() / "out.tif",
                      With({"--background", "10"}, options))
        .voxels;
  }
  std::vector<std::string> Masked() const {
    return {"--mask", (folder.path() / "mask.ome.tif").string(), "--saturation", "400"};
  }

  TemporaryFolder folder;
  std::vector<double> truth;
};

TEST(MaskTest, WhatDoesNotCountIsToldFromItsNeighbours) {
  const Scene scene;
  const double clean = Correlation(scene.Run("image", {}), scene.truth);
  const double masked = Correlation(scene.Run("recorded", scene.Masked()), scene.truth);
  const double ignored = Correlation(scene.Run("recorded", {}), scene.truth);
  RecordProperty("clean", std::to_string(clean));
  RecordProperty("masked", std::to_string(masked));
  RecordProperty("ignored", std::to_string(ignored));
  EXPECT_GT(masked, clean - 0.03) << clean;
  EXPECT_LT(ignored, masked - 0.2) << "clean " << clean << ", masked " << masked;
}

TEST(MaskTest, EveryStartAndTileAgrees) {
  const Scene scene;
  for (const char* initial : {"mean", "image", "wiener"}) {
    const auto options = With(scene.Masked(), {"--set", std::string("initial=") + initial});
    const std::vector<double> whole = scene.Run("recorded", With(options, {"--tile", "none"}));
    EXPECT_GT(Correlation(whole, scene.truth), 0.8) << initial;
    EXPECT_LE(NrmseOfRange(scene.Run("recorded", With(options, {"--tile", "32,32,32"})), whole), 1e-3) << initial;
  }
}

TEST(MaskTest, OtherMethodsThatExtendHonourIt) {
  const Scene scene;
  const std::vector<std::string> dead = {"--mask", (scene.folder.path() / "mask.ome.tif").string()};
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"rl-tv", scene.Masked()}, {"rl-good", scene.Masked()}, {"landweber-positive", dead}, {"fista", dead}};
  for (const auto& [method, options] : cases) {
    const double masked = Correlation(scene.Run("recorded", With(options, {"--method", method})), scene.truth);
    const double ignored = Correlation(scene.Run("recorded", {"--method", method}), scene.truth);
    RecordProperty(method, std::to_string(masked) + " against " + std::to_string(ignored));
    EXPECT_GT(masked, ignored + 0.01) << method;
  }
}

void ExpectRefused(const Scene& scene, const std::vector<std::string>& options, const std::string& says) {
  const CliResult result = RunCli(
      With({"run", (scene.folder.path() / "recorded.ome.tif").string(), "--psf",
            (scene.folder.path() / "psf.ome.tif").string(), "--local", "-o", (scene.folder.path() / "o.tif").string()},
           options),
      scene.folder.path());
  EXPECT_NE(result.exit.code, 0);
  EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
}

TEST(MaskTest, SaysWhyItRefuses) {
  const Scene scene;
  ExpectRefused(scene, With(scene.Masked(), {"--method", "wiener"}), "--boundary extend");
  ExpectRefused(scene, {"--mask", (scene.folder.path() / "psf.ome.tif").string()}, "U8");
  const std::vector<double> nothing(static_cast<size_t>(kShape.voxels()));
  ASSERT_OK(SaveImage(scene.folder.path() / "nothing.ome.tif", MakeSpec({1, 1, kShape.z, kShape.y, kShape.x}, v1::U8),
                      nothing));
  ExpectRefused(scene, {"--mask", (scene.folder.path() / "nothing.ome.tif").string()}, "leave no voxel");
}

}  // namespace
}  // namespace deconvoy::testing
