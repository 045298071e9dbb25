// Views of one specimen, joined.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kShape{48, 48, 48}, kExtent{25, 25, 25};
constexpr double kBackground = 5, kShort = 1.5, kLong = 4;  // widths of both PSFs
// The directions of their long axes: perpendicular, and oblique, so that each view is blurred along every axis.
const Sigma kDirections[] = {{std::sqrt(1.0 / 3), std::sqrt(1.0 / 3), std::sqrt(1.0 / 3)},
                             {std::sqrt(1.0 / 6), std::sqrt(1.0 / 6), -std::sqrt(2.0 / 3)}};

// Spots of variance `a` across and a + b along the direction d: exp(-q/2), q = (r^2 - b/(a + b) (r d)^2) / a.
std::vector<double> Spots(const std::vector<Bead>& beads, const Shape3& shape, const Sigma& d, double a) {
  const double b = kLong * kLong - kShort * kShort;
  const double norm = std::pow(2 * std::numbers::pi, 1.5) * a * std::sqrt(a + b);
  std::vector<double> volume(static_cast<size_t>(shape.voxels()));
  for (const Bead& bead : beads) {
    size_t i = 0;
    for (int64_t z = 0; z < shape.z; ++z)
      for (int64_t y = 0; y < shape.y; ++y)
        for (int64_t x = 0; x < shape.x; ++x) {
          const Sigma r{static_cast<double>(z) - bead.z, static_cast<double>(y) - bead.y,
                        static_cast<double>(x) - bead.x};
          const double along = r.z * d.z + r.y * d.y + r.x * d.x, square = r.z * r.z + r.y * r.y + r.x * r.x;
          volume[i++] += bead.light / norm * std::exp(-0.5 * (square - b / (a + b) * along * along) / a);
        }
  }
  return volume;
}

std::vector<Bead> Grid() {
  std::vector<Bead> beads;
  for (const double z : {10.2, 23.6, 37.3})
    for (const double y : {10.4, 23.5, 37.1})
      for (const double x : {10.0, 23.8, 37.4}) beads.push_back({z, y, x, 20000});
  return beads;
}

struct Scene {
  Scene() {
    std::vector<std::vector<double>> images, psfs;
    uint64_t seed = 28;
    for (const Sigma& d : kDirections) {
      const double blurred = kShort * kShort + kBeadSigma * kBeadSigma;
      images.push_back(Noisy(Spots(beads, kShape, d, blurred), kBackground, ++seed));
      psfs.push_back(Spots({{12, 12, 12, 1}}, kExtent, d, kShort * kShort));
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

  std::vector<Bead> beads = Grid();
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
      EXPECT_GT(Correlation(joined.voxels, truth), Correlation(alone.voxels, truth) + 0.01) << update;
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
  const CliResult result = RunCli({"run", (scene.folder.path() / "image.ome.tif").string(), "--psf",
                                   (scene.folder.path() / "psf0.ome.tif").string(), "--local", "--method",
                                   "rl-multiview", "-o", (scene.folder.path() / "out.tif").string()},
                                  scene.folder.path());
  EXPECT_NE(result.exit.code, 0);
  EXPECT_NE(result.err.find("a PSF for each view"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace deconvoy::testing
