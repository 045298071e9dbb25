// PSFs that change with depth.
#include <gtest/gtest.h>

#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kShape{72, 48, 48}, kExtent{25, 17, 17};
constexpr double kBackground = 5, kPlaneUm = 0.2;

// Twice as wide at the last plane as at the first.
Sigma PsfAt(double z) {
  const double wider = 1 + z / static_cast<double>(kShape.z - 1);
  return {2 * wider, 1.3 * wider, 1.3 * wider};
}

struct Scene {
  Scene() {
    const std::vector<Bead> beads = RandomBeads(kShape, 150, 20000, {8, 8, 8}, 37);
    truth = Truth(beads, kShape);
    SaveStacks(folder.path() / "image.ome.tif", 1, 1, kShape, kPlaneUm,
               {Noisy(Render(beads, kShape, PsfAt), kBackground, 38)});
    std::vector<std::vector<double>> stacks;
    for (const double z : {0.0, (kShape.z - 1) / 2.0, kShape.z - 1.0}) {
      const Sigma psf = PsfAt(z);
      stacks.push_back(GaussianPsf(kExtent, psf.z, psf.y, psf.x));
    }
    SaveStacks(folder.path() / "bank.ome.tif", 3, 1, kExtent, kPlaneUm, stacks);
    SaveStacks(folder.path() / "top.ome.tif", 1, 1, kExtent, kPlaneUm, {stacks.front()});
    SaveStacks(folder.path() / "bottom.ome.tif", 1, 1, kExtent, kPlaneUm, {stacks.back()});
  }

  std::vector<double> Run(const std::string& psf, const std::vector<std::string>& options) const {
    return Deconvolve(folder.path() / "image.ome.tif", folder.path() / (psf + ".ome.tif"), folder.path() / "out.tif",
                      With({"--background", "5"}, options))
        .voxels;
  }
  double Match(const std::vector<double>& result, int64_t begin, int64_t end) const {
    return Correlation(Planes(result, kShape, begin, end), Planes(truth, kShape, begin, end));
  }

  TemporaryFolder folder;
  std::vector<double> truth;
};

const std::vector<std::string> kDepths = {"--psf-depths-um", "0,7.1,14.2"};

TEST(DepthTest, BlendedBeatsASinglePsfAtBothEnds) {
  const Scene scene;
  const std::vector<double> blended = scene.Run("bank", kDepths);
  for (const char* psf : {"top", "bottom"}) {
    const std::vector<double> single = scene.Run(psf, {});
    const double ends[] = {scene.Match(blended, 0, 24) - scene.Match(single, 0, 24),
                           scene.Match(blended, 48, 72) - scene.Match(single, 48, 72)};
    RecordProperty(std::string(psf) + "_first_planes", std::to_string(ends[0]));
    RecordProperty(std::string(psf) + "_last_planes", std::to_string(ends[1]));
    EXPECT_GT(ends[0], 0) << psf;
    EXPECT_GT(ends[1], 0) << psf;
    EXPECT_GT(std::max(ends[0], ends[1]), 0.03) << psf << " is wrong at one end";
  }
}

TEST(DepthTest, TilesAgree) {
  const Scene scene;
  const std::vector<double> whole = scene.Run("bank", With(kDepths, {"--tile", "none"}));
  EXPECT_LE(NrmseOfRange(scene.Run("bank", With(kDepths, {"--tile", "24,48,24"})), whole), 1e-3);
}

TEST(DepthTest, AnotherMethodTakesThem) {
  const Scene scene;
  const std::vector<double> blended = scene.Run("bank", With(kDepths, {"--method", "rl-tv"}));
  const std::vector<double> single = scene.Run("top", {"--method", "rl-tv"});
  EXPECT_GT(scene.Match(blended, 48, 72), scene.Match(single, 48, 72));
}

}  // namespace
}  // namespace deconvoy::testing
