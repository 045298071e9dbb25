// Views of one specimen, joined.
#include <gtest/gtest.h>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kShape{48, 48, 48}, kExtent{25, 13, 25};
constexpr double kBackground = 5;
constexpr Sigma kPsfs[] = {{4, 1.6, 1.6}, {1.6, 1.6, 4}};  // elongated along z and along x

struct Scene {
  Scene() {
    std::vector<std::vector<double>> images, psfs;
    uint64_t seed = 28;
    for (const Sigma& psf : kPsfs) {
      images.push_back(Noisy(Blurred(beads, kShape, psf), kBackground, ++seed));
      psfs.push_back(GaussianPsf(kExtent, psf.z, psf.y, psf.x));
    }
    for (size_t v = 0; v < images.size(); ++v) {
      SaveStacks(folder.path() / ("image" + std::to_string(v) + ".ome.tif"), 1, 1, kShape, 0.1, {images[v]});
      SaveStacks(folder.path() / ("psf" + std::to_string(v) + ".ome.tif"), 1, 1, kExtent, 0.1, {psfs[v]});
    }
    SaveStacks(folder.path() / "image.ome.tif", 1, 2, kShape, 0.1, images);
    SaveStacks(folder.path() / "psf.ome.tif", 1, 2, kExtent, 0.1, psfs);
  }

  // `view`: empty for all.
  Image Run(const std::string& view, const std::vector<std::string>& options) const {
    return Deconvolve(folder.path() / ("image" + view + ".ome.tif"), folder.path() / ("psf" + view + ".ome.tif"),
                      folder.path() / "out.ome.tif", With({"--background", "5"}, options));
  }

  std::vector<Bead> beads = RandomBeads(kShape, 25, 20000, {9, 9, 9}, 27);
  TemporaryFolder folder;
};

TEST(MultiviewTest, TwoViewsBeatEachAloneInAllThreeAxes) {
  const Scene scene;
  const std::vector<double> truth = Truth(scene.beads, kShape);
  for (const char* update : {"additive", "ordered-subset"}) {
    const Image joined = scene.Run("", {"--method", "rl-multiview", "--set", std::string("update=") + update});
    ASSERT_EQ(joined.shape(), (Shape5{1, 1, kShape.z, kShape.y, kShape.x})) << "one channel";
    for (const char* view : {"0", "1"}) {
      const Image alone = scene.Run(view, {});
      for (int axis = 0; axis < 3; ++axis) {
        const double two = MeanFwhm(joined.voxels, kShape, scene.beads, axis);
        const double one = MeanFwhm(alone.voxels, kShape, scene.beads, axis);
        RecordProperty(std::string(update) + "_" + "zyx"[axis] + "_" + view,
                       std::to_string(two) + " against " + std::to_string(one));
        EXPECT_LT(two, one) << update << ", view " << view << ", axis " << axis;
      }
      EXPECT_GT(Correlation(joined.voxels, truth), Correlation(alone.voxels, truth) + 0.05) << update;
    }
  }
}

TEST(MultiviewTest, TilesAgree) {
  const Scene scene;
  for (const char* update : {"additive", "ordered-subset"}) {
    const std::vector<std::string> options = {"--method", "rl-multiview", "--set", std::string("update=") + update};
    const Image whole = scene.Run("", With(options, {"--tile", "none"}));
    const Image tiled = scene.Run("", With(options, {"--tile", "24,48,24"}));
    EXPECT_LE(NrmseOfRange(tiled.voxels, whole.voxels), 1e-3) << update;
  }
}

TEST(MultiviewTest, NeedsAPsfForEachView) {
  const Scene scene;
  const CliResult result =
      RunCli({"run", (scene.folder.path() / "image.ome.tif").string(), "--psf",
              (scene.folder.path() / "psf0.ome.tif").string(), "--local", "--method", "rl-multiview", "-o",
              (scene.folder.path() / "out.tif").string()},
             scene.folder.path());
  EXPECT_NE(result.exit.code, 0);
  EXPECT_NE(result.err.find("a PSF for each view"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace deconvoy::testing
