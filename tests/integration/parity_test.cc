// Real stacks through the whole service, against other software's outputs and known truths.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// `deconvoy run` in a private service; the result.
Image Deconvolve(const fs::path& folder, const fs::path& raw, const fs::path& psf, std::vector<std::string> options,
                 const std::string& output = "out.tif") {
  std::vector<std::string> arguments = {
      "run", raw.string(), "--psf", psf.string(), "--local", "-o", (folder / output).string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const CliResult result = RunCli(arguments, folder);
  EXPECT_EQ(result.exit.code, 0) << result.err;
  auto image = LoadImage(folder / output);
  EXPECT_OK(image);
  return image.ok() ? *std::move(image) : Image{};
}

const std::vector<std::string> kPlainPeriodic = {
    "--method",      "rl",           "--boundary", "periodic",     "--set",    "acceleration=none", "--set",
    "initial=image", "--background", "0",          "--psf-centre", "geometric"};

std::vector<std::string> With(std::vector<std::string> options, std::initializer_list<std::string> more) {
  options.insert(options.end(), more);
  return options;
}

// Another tool's Richardson-Lucy with the same formula, boundary and start.
struct Reference {
  const char* raw;
  const char* psf;
  const char* expected;
  const char* iterations;
};

class ParityTest : public ::testing::TestWithParam<Reference> {};

TEST_P(ParityTest, EqualsOtherSoftware) {
  const Reference& reference = GetParam();
  const fs::path shared = SharedData().parent_path();
  SKIP_WITHOUT(shared / reference.raw);
  TemporaryFolder folder;
  const Image result = Deconvolve(folder.path(), shared / reference.raw, shared / reference.psf,
                                  With(kPlainPeriodic, {"--iterations", reference.iterations}));
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(shared / reference.expected));
  ASSERT_EQ(result.voxels.size(), expected.voxels.size());
  EXPECT_LE(RelativeL2(result.voxels, expected.voxels), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(RichardsonLucy, ParityTest,
                         ::testing::Values(Reference{"data/flowdec_bars/raw.tif", "data/flowdec_bars/psf.tif",
                                                     "reference/dl2/rl_10.tif", "10"},
                                           Reference{"data/flowdec_bars/raw.tif", "data/flowdec_bars/psf.tif",
                                                     "reference/dl2/rl_50.tif", "50"},
                                           Reference{"reference/dl2_symmetric/raw.tif",
                                                     "reference/dl2_symmetric/psf.tif",
                                                     "reference/dl2_symmetric/rl10.tif", "10"}));

// The bars with truth: plain rl at the figure in the data's notes, heavy-ball ahead of it.
TEST(QualityTest, BarsReachTheKnownFigureAndHeavyBallIsBetter) {
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g15.tif");
  TemporaryFolder folder;
  const std::vector<std::string> common = {"--iterations", "20", "--boundary",   "extend",
                                           "--background", "0",  "--psf-energy", "1"};
  const Image plain = Deconvolve(folder.path(), bars / "raw_g15.tif", bars / "psf.tif",
                                 With(common, {"--set", "acceleration=none"}), "plain.tif");
  const Image fast = Deconvolve(folder.path(), bars / "raw_g15.tif", bars / "psf.tif", common, "fast.tif");
  ASSERT_OK_AND_ASSIGN(const Image truth, LoadImage(bars / "truth.tif"));
  ASSERT_EQ(plain.voxels.size(), truth.voxels.size());
  ASSERT_EQ(fast.voxels.size(), truth.voxels.size());
  EXPECT_NEAR(ScaleFreeNrmse(plain.voxels, truth.voxels), 0.758, 0.00758);
  EXPECT_GT(Correlation(fast.voxels, truth.voxels), Correlation(plain.voxels, truth.voxels));
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

TEST(QualityTest, ThreeChannelsWithTheirOwnPsfKeepMetadataAndHaveNoBandsInZ) {
  const fs::path cell = SharedData() / "dividing_cell";
  SKIP_WITHOUT(cell / "raw.tif");
  TemporaryFolder folder;
  const Image result = Deconvolve(folder.path(), cell / "raw.tif", cell / "psf.tif",
                                  {"--iterations", "15", "--offset", "105", "--background", "0"}, "out.ome.tif");
  ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(cell / "raw.tif"));
  ASSERT_EQ(result.shape(), raw.shape());
  EXPECT_NEAR(result.spec.voxel_size().z_um(), 0.2, 1e-6);
  EXPECT_NEAR(result.spec.voxel_size().x_um(), 0.066813, 1e-5);
  for (int64_t c = 0; c < 3; ++c) {
    const std::vector<double> gains = PlaneGains(result, raw, 105, c);
    // Light from outside the stack is explained by the estimate outside it: the outer planes lose it, yet none goes
    // dark or flares up against its neighbour.
    for (size_t z = 0; z < gains.size(); ++z) {
      EXPECT_GT(gains[z], 0.25) << "channel " << c << " plane " << z;
      EXPECT_LT(gains[z], 1.6) << "channel " << c << " plane " << z;
      if (z > 0) {
        EXPECT_LT(std::abs(gains[z] - gains[z - 1]), 0.25) << "channel " << c << " planes " << z - 1 << ", " << z;
      }
    }
  }
}

}  // namespace
}  // namespace deconvoy::testing
