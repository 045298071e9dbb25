// Cut into tiles or not: the same result, and nothing to see at the seams.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/integration/support/image.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// What tiling has changed at a voxel.
double Difference(const Image& tiled, const Image& whole, const Voxel& v) {
  return tiled.at(0, v.z, v.y, v.x) - whole.at(0, v.z, v.y, v.x);
}

// Calls `visit` for each voxel of the plane `at` along an axis (0 z, 1 y, 2 x) and its neighbour in the plane before.
template <typename Visit>
void ForSeam(const Shape5& s, int axis, int64_t at, const Visit& visit) {
  const Voxel begin{axis == 0 ? at : 0, axis == 1 ? at : 0, axis == 2 ? at : 0};
  const Voxel end{axis == 0 ? at + 1 : s.z, axis == 1 ? at + 1 : s.y, axis == 2 ? at + 1 : s.x};
  for (int64_t z = begin.z; z < end.z; ++z)
    for (int64_t y = begin.y; y < end.y; ++y)
      for (int64_t x = begin.x; x < end.x; ++x)
        visit(Voxel{z, y, x}, Voxel{z - (axis == 0), y - (axis == 1), x - (axis == 2)});
}

// Root mean square of the jump of (tiled - whole) across the plane between `at - 1` and `at`.
double SeamJump(const Image& tiled, const Image& whole, int axis, int64_t at) {
  double sum = 0;
  int64_t count = 0;
  ForSeam(whole.shape(), axis, at, [&](const Voxel& here, const Voxel& before) {
    const double jump = Difference(tiled, whole, here) - Difference(tiled, whole, before);
    sum += jump * jump;
    ++count;
  });
  return std::sqrt(sum / static_cast<double>(count));
}

// The same jump averaged before it is squared: a step that is coherent over the whole seam, which is what makes a line.
double SeamStep(const Image& tiled, const Image& whole, int axis, int64_t at) {
  double sum = 0;
  int64_t count = 0;
  ForSeam(whole.shape(), axis, at, [&](const Voxel& here, const Voxel& before) {
    sum += Difference(tiled, whole, here) - Difference(tiled, whole, before);
    ++count;
  });
  return std::abs(sum) / static_cast<double>(count);
}

// How much the untiled result itself changes from one plane to the next, root mean square over the seam.
double NaturalJump(const Image& whole, int axis, int64_t at) {
  double sum = 0;
  int64_t count = 0;
  ForSeam(whole.shape(), axis, at, [&](const Voxel& here, const Voxel& before) {
    const double change = whole.at(0, here.z, here.y, here.x) - whole.at(0, before.z, before.y, before.x);
    sum += change * change;
    ++count;
  });
  return std::sqrt(sum / static_cast<double>(count));
}

// No seam is visible: its coherent step is below a thousandth of the range, and its jumps are a tenth at most of what
// the structures themselves change by at that place.
void ExpectSeamless(const Image& tiled, const Image& whole, const Shape3& core) {
  ASSERT_EQ(tiled.voxels.size(), whole.voxels.size());
  EXPECT_LE(NrmseOfRange(tiled.voxels, whole.voxels), 1e-3);
  const auto [low, high] = std::minmax_element(whole.voxels.begin(), whole.voxels.end());
  const double range = *high - *low;
  const Shape5 s = whole.shape();
  const int64_t extents[] = {s.z, s.y, s.x}, cores[] = {core.z, core.y, core.x};
  for (int axis = 0; axis < 3; ++axis) {
    for (int64_t at = cores[axis]; at < extents[axis]; at += cores[axis]) {
      SCOPED_TRACE(::testing::Message() << "axis "
                                        << "zyx"[axis] << " at " << at);
      EXPECT_LE(SeamStep(tiled, whole, axis, at), 1e-3 * range);
      EXPECT_LE(SeamJump(tiled, whole, axis, at), std::max(1e-3 * range, 0.1 * NaturalJump(whole, axis, at)));
    }
  }
}

// Deconvolves the stack whole and in tiles, and compares.
void ExpectSameInTiles(const fs::path& raw, const fs::path& psf, const std::vector<std::string>& options) {
  const TemporaryFolder folder;
  const Image whole = Deconvolve(raw, psf, folder.path() / "whole.tif", With(options, {"--tile", "none"}));
  const Image tiled = Deconvolve(raw, psf, folder.path() / "tiled.tif", With(options, {"--tile", "32,96,96"}));
  ExpectSeamless(tiled, whole, {32, 96, 96});
}

TEST(TilesTest, BarsUnderAWidePsf) {
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g15.tif");
  ExpectSameInTiles(bars / "raw_g15.tif", bars / "psf.tif", {"--iterations", "20", "--background", "0"});
}

TEST(TilesTest, SimulatedSpecimenUnderASmallPsf) {
  const TemporaryFolder folder;
  Simulate(folder.path(), "64,256,256", 3,
           {"--kind", "mixed", "--photons", "300", "--psf-fwhm-um", "0.7,0.25,0.25", "--background", "5"});
  ExpectSameInTiles(folder.path() / "raw.ome.tif", folder.path() / "psf.ome.tif",
                    {"--iterations", "20", "--background", "5"});
}

}  // namespace
}  // namespace deconvoy::testing
