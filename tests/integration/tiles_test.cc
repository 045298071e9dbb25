// Cut into tiles or not: the same result, and nothing to see at the seams.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

Image Deconvolve(const fs::path& folder, const fs::path& raw, const fs::path& psf, const std::string& tile,
                 std::vector<std::string> options) {
  const fs::path out = folder / ("out-" + tile + ".tif");
  std::vector<std::string> arguments = {"run",    raw.string(), "--psf", psf.string(), "--local",
                                        "--tile", tile,         "-o",    out.string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const CliResult result = RunCli(arguments, folder);
  EXPECT_EQ(result.exit.code, 0) << result.err;
  auto image = LoadImage(out);
  EXPECT_OK(image);
  return image.ok() ? *std::move(image) : Image{};
}

// Root mean square of the jump of (tiled - whole) across the plane between `at - 1` and `at` along an axis (0 z, 1 y, 2
// x): what the eye would see as a line.
double SeamJump(const Image& tiled, const Image& whole, int axis, int64_t at) {
  const Shape5 s = whole.shape();
  double sum = 0;
  int64_t count = 0;
  for (int64_t z = axis == 0 ? at : 0; z < (axis == 0 ? at + 1 : s.z); ++z)
    for (int64_t y = axis == 1 ? at : 0; y < (axis == 1 ? at + 1 : s.y); ++y)
      for (int64_t x = axis == 2 ? at : 0; x < (axis == 2 ? at + 1 : s.x); ++x, ++count) {
        const double here = tiled.at(0, z, y, x) - whole.at(0, z, y, x);
        const int64_t pz = z - (axis == 0), py = y - (axis == 1), px = x - (axis == 2);
        const double before = tiled.at(0, pz, py, px) - whole.at(0, pz, py, px);
        sum += (here - before) * (here - before);
      }
  return std::sqrt(sum / static_cast<double>(count));
}

void ExpectSeamless(const Image& tiled, const Image& whole, const Shape3& core) {
  ASSERT_EQ(tiled.voxels.size(), whole.voxels.size());
  EXPECT_LE(NrmseOfRange(tiled.voxels, whole.voxels), 1e-3);
  const auto [low, high] = std::minmax_element(whole.voxels.begin(), whole.voxels.end());
  const double limit = 1e-3 * (*high - *low);
  const Shape5 s = whole.shape();
  for (int64_t z = core.z; z < s.z; z += core.z) EXPECT_LE(SeamJump(tiled, whole, 0, z), limit) << "seam at z " << z;
  for (int64_t y = core.y; y < s.y; y += core.y) EXPECT_LE(SeamJump(tiled, whole, 1, y), limit) << "seam at y " << y;
  for (int64_t x = core.x; x < s.x; x += core.x) EXPECT_LE(SeamJump(tiled, whole, 2, x), limit) << "seam at x " << x;
}

TEST(TilesTest, BarsUnderAWidePsf) {
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g15.tif");
  TemporaryFolder folder;
  const std::vector<std::string> options = {"--iterations", "20", "--background", "0"};
  const Image whole = Deconvolve(folder.path(), bars / "raw_g15.tif", bars / "psf.tif", "none", options);
  const Image tiled = Deconvolve(folder.path(), bars / "raw_g15.tif", bars / "psf.tif", "32,96,96", options);
  ExpectSeamless(tiled, whole, {32, 96, 96});
}

TEST(TilesTest, SimulatedSpecimenUnderASmallPsf) {
  TemporaryFolder folder;
  const CliResult made = RunCli(
      {"simulate", "-o", folder.path().string(), "--shape", "64,256,256", "--kind", "mixed", "--seed", "3", "--photons",
       "300", "--voxel-um", "0.2,0.1,0.1", "--psf-fwhm-um", "0.7,0.25,0.25", "--background", "5", "--local"},
      folder.path());
  ASSERT_EQ(made.exit.code, 0) << made.err;
  const std::vector<std::string> options = {"--iterations", "20", "--background", "5"};
  const fs::path raw = folder.path() / "raw.ome.tif", psf = folder.path() / "psf.ome.tif";
  const Image whole = Deconvolve(folder.path(), raw, psf, "none", options);
  const Image tiled = Deconvolve(folder.path(), raw, psf, "32,96,96", options);
  ExpectSeamless(tiled, whole, {32, 96, 96});
}

}  // namespace
}  // namespace deconvoy::testing
