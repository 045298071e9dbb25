// Real stacks through the whole service, against other software's outputs and known truths.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/integration/support/image.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kPeriodic = {"--boundary",   "periodic",  "--background", "0",
                                            "--psf-centre", "geometric", "--psf-energy", "1"};

// Another tool's result with the same formula, boundary and start.
struct Reference {
  const char* set;  // raw and psf of it
  const char* expected;
  std::vector<std::string> arguments;
};

void PrintTo(const Reference& reference, std::ostream* out) {
  *out << reference.expected;
}

constexpr char kBars[] = "data/flowdec_bars", kSymmetric[] = "reference/dl2_symmetric";

class ParityTest : public ::testing::TestWithParam<Reference> {};

TEST_P(ParityTest, EqualsOtherSoftware) {
  const Reference& reference = GetParam();
  const fs::path shared = SharedData().parent_path(), set = shared / reference.set;
  SKIP_WITHOUT(set / "raw.tif");
  SKIP_WITHOUT(shared / reference.expected);
  TemporaryFolder folder;
  const Image result =
      Deconvolve(set / "raw.tif", set / "psf.tif", folder.path() / "out.tif", With(kPeriodic, reference.arguments));
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(shared / reference.expected));
  ASSERT_EQ(result.voxels.size(), expected.voxels.size());
  EXPECT_LE(RelativeL2(result.voxels, expected.voxels), 1e-5);
}

Reference RichardsonLucy(const char* set, const char* expected, const char* iterations) {
  return {set, expected, {"--iterations", iterations, "--set", "acceleration=none", "--set", "initial=image"}};
}

INSTANTIATE_TEST_SUITE_P(
    Methods, ParityTest,
    ::testing::Values(
        RichardsonLucy(kBars, "reference/dl2/rl_10.tif", "10"), RichardsonLucy(kBars, "reference/dl2/rl_50.tif", "50"),
        RichardsonLucy(kSymmetric, "reference/dl2_symmetric/rl10.tif", "10"),
        Reference{kBars,
                  "reference/dl2/landweber_20_1.5.tif",
                  {"--method", "landweber", "--iterations", "20", "--set", "step=1.5"}},
        Reference{kSymmetric,
                  "reference/dl2_symmetric/lw.tif",
                  {"--method", "landweber", "--iterations", "20", "--set", "step=1.5"}},
        Reference{kBars,
                  "reference/dl2/tikhonov_miller_20_1.5_0.001.tif",
                  {"--method", "tikhonov-miller", "--iterations", "20", "--set", "step=1.5", "--set", "lambda=0.001"}},
        Reference{kSymmetric,
                  "reference/dl2_symmetric/tm.tif",
                  {"--method", "tikhonov-miller", "--iterations", "20", "--set", "step=1.5", "--set", "lambda=0.001"}},
        Reference{kBars,
                  "reference/dl2/van_cittert_10_1.tif",
                  {"--method", "van-cittert", "--iterations", "10", "--set", "step=1"}},
        Reference{kSymmetric, "reference/dl2_symmetric/trif.tif", {"--method", "tikhonov", "--set", "lambda=0.01"}}));

// The bars with truth: plain rl at the figure in the data's notes, heavy-ball ahead of it.
TEST(QualityTest, BarsReachTheKnownFigureAndHeavyBallIsBetter) {
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g15.tif");
  TemporaryFolder folder;
  const std::vector<std::string> common = {"--iterations", "20", "--boundary",   "extend",
                                           "--background", "0",  "--psf-energy", "1"};
  const Image plain = Deconvolve(bars / "raw_g15.tif", bars / "psf.tif", folder.path() / "plain.tif",
                                 With(common, {"--set", "acceleration=none"}));
  const Image fast = Deconvolve(bars / "raw_g15.tif", bars / "psf.tif", folder.path() / "fast.tif", common);
  ASSERT_OK_AND_ASSIGN(const Image truth, LoadImage(bars / "truth.tif"));
  ASSERT_EQ(plain.voxels.size(), truth.voxels.size());
  ASSERT_EQ(fast.voxels.size(), truth.voxels.size());
  EXPECT_NEAR(ScaleFreeNrmse(plain.voxels, truth.voxels), 0.758, 0.00758);
  EXPECT_GT(Correlation(fast.voxels, truth.voxels), Correlation(plain.voxels, truth.voxels));
}

// Total variation suits bars, and both methods that hold it down come closer to the truth (docs/methods/index.md).
TEST(QualityTest, TotalVariationIsAheadOfRlOnBars) {
  constexpr double kMargin = 0.02;  // measured: 0.074 and 0.038
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g10.tif");
  ASSERT_OK_AND_ASSIGN(const Image truth, LoadImage(bars / "truth.tif"));
  TemporaryFolder folder;
  const auto correlation = [&](const std::string& method) {
    const Image result =
        Deconvolve(bars / "raw_g10.tif", bars / "psf.tif", folder.path() / (method + ".tif"), {"--method", method});
    if (result.voxels.size() != truth.voxels.size()) return std::nan("");  // the failure has been told
    return Correlation(result.voxels, truth.voxels);
  };
  const double rl = correlation("rl"), rl_tv = correlation("rl-tv"), admm = correlation("admm");
  EXPECT_GT(rl_tv, rl + kMargin);
  EXPECT_GT(admm, rl + kMargin);
}

// Mean of each plane of one channel, relative to the mean of the raw's plane.
std::vector<double> PlaneGains(const Image& result, const Image& raw, double offset, int64_t c) {
  std::vector<double> gains;
  const Shape5 s = raw.shape();
  for (int64_t z = 0; z < s.z; ++z) {
    double sum = 0, raw_sum = 0;
    for (int64_t y = 0; y < s.y; ++y)
      for (int64_t x = 0; x < s.x; ++x) {
        sum += result.at(c, z, y, x);
        raw_sum += raw.at(c, z, y, x) - offset;
      }
    gains.push_back(sum / raw_sum);
  }
  return gains;
}

// How far the gains of the outer three planes at either end are from 1 at most: a dark or bright band.
double Band(const std::vector<double>& gains) {
  double worst = 0;
  for (size_t i = 0; i < 3; ++i) {
    worst = std::max({worst, std::abs(gains[i] - 1), std::abs(gains[gains.size() - 1 - i] - 1)});
  }
  return worst;
}

// The whole field of a widefield image sees all light of the specimen in every plane, so that plane means say next to
// nothing about where along z it comes from: at the ends of the stack, far from focus, a plane keeps the mean that it
// started from, unless light that the boundary has to explain is put there. Measured: bands of 0.05, 0.08 and 0.01 with
// the unknown surroundings estimated, 0.16, 0.18 and 0.13 with the far end of the stack as surroundings.
constexpr double kMostBand = 0.1;

TEST(QualityTest, ThreeChannelsWithTheirOwnPsfKeepMetadataAndHaveNoBandsInZ) {
  const fs::path cell = SharedData() / "dividing_cell";
  SKIP_WITHOUT(cell / "raw.tif");
  TemporaryFolder folder;
  const std::vector<std::string> options = {"--iterations", "15", "--offset", "105", "--background", "0"};
  const Image result = Deconvolve(cell / "raw.tif", cell / "psf.tif", folder.path() / "out.ome.tif", options);
  const Image wrapped = Deconvolve(cell / "raw.tif", cell / "psf.tif", folder.path() / "wrapped.ome.tif",
                                   With(options, {"--boundary", "periodic"}));
  ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(cell / "raw.tif"));
  ASSERT_EQ(result.shape(), raw.shape());
  ASSERT_EQ(wrapped.shape(), raw.shape());
  EXPECT_NEAR(result.spec.voxel_size().z_um(), 0.2, 1e-6);
  EXPECT_NEAR(result.spec.voxel_size().x_um(), 0.066813, 1e-5);
  for (int64_t c = 0; c < 3; ++c) {
    SCOPED_TRACE(::testing::Message() << "channel " << c);
    const std::vector<double> gains = PlaneGains(result, raw, 105, c);
    EXPECT_LT(Band(gains), kMostBand);
    EXPECT_GT(Band(PlaneGains(wrapped, raw, 105, c)), kMostBand) << "this test no longer sees a wrong boundary";
    // Planes in focus gather light, little by little.
    for (size_t z = 1; z < gains.size(); ++z) {
      EXPECT_LT(std::abs(gains[z] - gains[z - 1]), 0.15) << "planes " << z - 1 << ", " << z;
    }
  }
}

}  // namespace
}  // namespace deconvoy::testing
