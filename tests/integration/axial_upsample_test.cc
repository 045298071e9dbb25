// Stacks with fewer planes than their result.
#include <gtest/gtest.h>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kShape{48, 64, 64};
constexpr Sigma kPsf{1.8, 1.4, 1.4};
constexpr double kBackground = 5;

// Every second plane of a volume.
std::vector<double> EverySecond(const std::vector<double>& volume) {
  std::vector<double> planes;
  for (int64_t z = 0; z < kShape.z; z += 2) {
    const std::vector<double> plane = Planes(volume, kShape, z, z + 1);
    planes.insert(planes.end(), plane.begin(), plane.end());
  }
  return planes;
}

// Linear between the even planes, and the last of them again.
std::vector<double> Interpolated(std::vector<double> volume) {
  const auto plane = static_cast<size_t>(kShape.y * kShape.x);
  for (size_t z = 1; z < static_cast<size_t>(kShape.z); z += 2) {
    const size_t next = z + 1 < static_cast<size_t>(kShape.z) ? z + 1 : z - 1;
    for (size_t i = 0; i < plane; ++i)
      volume[z * plane + i] = (volume[(z - 1) * plane + i] + volume[next * plane + i]) / 2;
  }
  return volume;
}

struct Scene {
  Scene() {
    const std::vector<Bead> beads = RandomBeads(kShape, 150, 20000, {6, 6, 6}, 17);
    truth = Truth(beads, kShape);
    const std::vector<double> image = Noisy(Blurred(beads, kShape, kPsf), kBackground, 18);
    SaveStacks(folder.path() / "coarse.ome.tif", 1, 1, {kShape.z / 2, kShape.y, kShape.x}, 0.2, {EverySecond(image)});
    SaveStacks(folder.path() / "fine.ome.tif", 1, 1, kShape, 0.1, {Interpolated(image)});
    const Shape3 extent{13, 11, 11};
    const std::vector<double> psf = GaussianPsf(extent, kPsf.z, kPsf.y, kPsf.x);
    SaveStacks(folder.path() / "psf.ome.tif", 1, 1, extent, 0.1, {psf});
    SaveStacks(folder.path() / "coarse_psf.ome.tif", 1, 1, extent, 0.2, {psf});
  }

  Image Run(const std::string& name, const std::vector<std::string>& options) const {
    return Deconvolve(folder.path() / (name + ".ome.tif"), folder.path() / "psf.ome.tif", folder.path() / "out.ome.tif",
                      With({"--background", "5"}, options));
  }

  TemporaryFolder folder;
  std::vector<double> truth;
};

TEST(AxialUpsampleTest, FindsThePlanesBetweenBetterThanInterpolation) {
  const Scene scene;
  for (const char* method : {"rl", "rl-tv", "admm"}) {
    const Image result = scene.Run("coarse", {"--method", method, "--set", "axial_upsample=2"});
    ASSERT_EQ(result.shape(), (Shape5{1, 1, kShape.z, kShape.y, kShape.x}));
    EXPECT_NEAR(result.spec.voxel_size().z_um(), 0.1, 1e-6);
    const double upsampled = Correlation(result.voxels, scene.truth);
    const double interpolated = Correlation(scene.Run("fine", {"--method", method}).voxels, scene.truth);
    RecordProperty(std::string(method) + "_upsampled", std::to_string(upsampled));
    RecordProperty(std::string(method) + "_interpolated", std::to_string(interpolated));
    EXPECT_LT(1 - upsampled, 0.85 * (1 - interpolated)) << method;
  }
}

TEST(AxialUpsampleTest, TilesAgree) {
  const Scene scene;
  for (const char* initial : {"mean", "image"}) {
    const std::vector<std::string> options = {"--set", "axial_upsample=2", "--set", std::string("initial=") + initial};
    const Image whole = scene.Run("coarse", With(options, {"--tile", "none"}));
    const Image tiled = scene.Run("coarse", With(options, {"--tile", "15,32,32"}));
    EXPECT_LE(NrmseOfRange(tiled.voxels, whole.voxels), 1e-3) << initial;
  }
}

TEST(AxialUpsampleTest, SaysWhatIsWrongWithACoarsePsf) {
  const Scene scene;
  const CliResult result = RunCli({"run", (scene.folder.path() / "coarse.ome.tif").string(), "--psf",
                                   (scene.folder.path() / "coarse_psf.ome.tif").string(), "--local", "-o",
                                   (scene.folder.path() / "out.tif").string(), "--set", "axial_upsample=2"},
                                  scene.folder.path());
  EXPECT_NE(result.exit.code, 0);
  EXPECT_NE(result.err.find("planes 0.1 um apart"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace deconvoy::testing
