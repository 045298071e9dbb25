// PSFs as they are used, written on request by the real programs: with one the same result comes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Shape3 kShape{20, 48, 48}, kBead{29, 51, 53};
constexpr double kPlaneUm = 0.2;  // rows and columns are 0.1 um apart
// Nothing here amplifies what rounding does.
const std::vector<std::string> kOptions = {"--iterations", "5", "--set", "acceleration=none", "--background", "5"};

class PreparedPsfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<Bead> beads = RandomBeads(kShape, 20, 20000, {4, 6, 6}, 5);
    SaveStacks(
        folder_.path() / "raw.ome.tif", 1, 2, kShape, kPlaneUm,
        {Noisy(Blurred(beads, kShape, {1.5, 1.3, 1.3}), 5, 6), Noisy(Blurred(beads, kShape, {2, 1.6, 1.6}), 5, 7)});
    // Voxels half as large as the image's, off the middle, on a background: of each channel another bead.
    v1::VolumeSpec spec = MakeSpec({1, 2, kBead.z, kBead.y, kBead.x}, v1::F32);
    spec.mutable_voxel_size()->set_z_um(kPlaneUm / 2);
    spec.mutable_voxel_size()->set_y_um(0.05);
    spec.mutable_voxel_size()->set_x_um(0.05);
    std::vector<double> values = BeadAt(12, 29, 24, 3, 2.6);
    const std::vector<double> second = BeadAt(16, 23, 28, 4, 3.2);
    values.insert(values.end(), second.begin(), second.end());
    ASSERT_OK(SaveImage(folder_.path() / "bead.ome.tif", spec, values));
  }

  static std::vector<double> BeadAt(double z, double y, double x, double sigma_z, double sigma) {
    std::vector<double> values;
    for (int64_t i = 0; i < kBead.voxels(); ++i) {
      const double dz = (static_cast<double>(i / (kBead.y * kBead.x)) - z) / sigma_z,
                   dy = (static_cast<double>(i / kBead.x % kBead.y) - y) / sigma,
                   dx = (static_cast<double>(i % kBead.x) - x) / sigma;
      values.push_back(100 + 5000 * std::exp(-(dz * dz + dy * dy + dx * dx) / 2));
    }
    return values;
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  Image Load(const std::string& name) const {
    auto image = LoadImage(File(name));
    EXPECT_OK(image.status());
    return image.ok() ? *std::move(image) : Image();
  }

  CliResult Run(const std::string& psf, const std::string& output, const std::vector<std::string>& more) const {
    CliResult result =
        RunCli(With(With({"run", File("raw.ome.tif"), "--psf", psf, "-o", File(output), "--local"}, kOptions), more),
               folder_.path());
    EXPECT_EQ(result.exit.code, 0) << result.err;
    return result;
  }

  // Each channel of a prepared PSF has the sum 1, and its light about voxel floor(n/2).
  static void ExpectPrepared(const Image& psf) {
    const Shape5 shape = psf.shape();
    for (int64_t c = 0; c < shape.c; ++c) {
      const auto begin = psf.voxels.begin() + c * shape.frame().voxels();
      const std::vector<double> frame(begin, begin + shape.frame().voxels());
      EXPECT_NEAR(Sum(frame), 1, 1e-5) << c;
      EXPECT_EQ(psf.at(c, shape.z / 2, shape.y / 2, shape.x / 2), *std::max_element(frame.begin(), frame.end())) << c;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(PreparedPsfTest, ASecondRunWithItGivesTheSameResult) {
  const CliResult first = Run(File("bead.ome.tif"), "first.tif",
                              {"--psf-background", "auto", "--save-prepared-psf", File("used.ome.tif"), "--json"});
  EXPECT_EQ(LastJson(first.out)["prepared_psf"], File("used.ome.tif"));
  const Image psf = Load("used.ome.tif");
  ASSERT_EQ(psf.shape().c, 2);
  EXPECT_LT(psf.shape().x, kBead.x) << "voxels of twice the size, and cropped";
  EXPECT_NEAR(psf.spec.voxel_size().z_um(), kPlaneUm, 1e-9);
  EXPECT_NEAR(psf.spec.voxel_size().x_um(), 0.1, 1e-9);
  ExpectPrepared(psf);
  const CliResult second = Run(File("used.ome.tif"), "second.tif", {"--psf-centre", "geometric", "--psf-energy", "1"});
  EXPECT_THAT(second.err, Not(HasSubstr("warning: PSF")));
  const Image a = Load("first.tif"), b = Load("second.tif");
  ASSERT_EQ(a.voxels.size(), b.voxels.size());
  EXPECT_LE(RelativeL2(b.voxels, a.voxels), 1e-6);
  Run(File("bead.ome.tif"), "plain.tif", {"--psf-centre", "geometric"});
  EXPECT_GT(RelativeL2(Load("plain.tif").voxels, a.voxels), 0.01) << "what was prepared matters";
}

TEST_F(PreparedPsfTest, AServerPreparesItForFilesNamesAndFetchedJobs) {
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto done = [&](const std::vector<std::string>& arguments) {
    CliResult result = server.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << arguments[0] << ": " << result.err << server.Log();
    return result;
  };
  done({"psf", "add", "bead", File("bead.ome.tif"), "--unchecked"});
  done(With({"run", File("raw.ome.tif"), "--psf", "psfs/bead", "-o", File("out.tif"), "--psf-background", "auto",
             "--save-prepared-psf", File("run.ome.tif")},
            kOptions));
  EXPECT_THAT(done({"jobs", "--all"}).out, HasSubstr("no jobs"));
  const Image of_run = Load("run.ome.tif");
  ExpectPrepared(of_run);

  const CliResult submitted =
      done(With({"submit", File("raw.ome.tif"), "--psf", "psfs/bead@1", "--psf-background", "auto", "--wait", "--json"},
                kOptions));
  const std::string job = LastJson(submitted.out)["job"]["name"];
  done({"fetch", job, "-o", File("fetched.tif"), "--save-prepared-psf", File("fetched.ome.tif")});
  EXPECT_TRUE(Load("fetched.ome.tif").voxels == of_run.voxels);
  done({"job", job, "--delete"});
  EXPECT_THAT(done({"jobs", "--all"}).out, HasSubstr("no jobs")) << "that which prepared it has gone, too";

  done({"psf", "check", "psfs/bead", "--psf-centre", "peak", "--save-prepared", File("checked.ome.tif")});
  const Image checked = Load("checked.ome.tif");
  ExpectPrepared(checked);
  EXPECT_NEAR(checked.spec.voxel_size().x_um(), 0.05, 1e-9) << "a check leaves the voxels";
  const std::string psf = LastJson(done({"psf", "show", "bead", "--json"}).out)["volume"];
  EXPECT_THAT(done({"volumes"}).out, HasSubstr(psf));
  done({"psf", "remove", "bead@1"});
  EXPECT_THAT(done({"volumes", "--json"}).out, Not(HasSubstr("volumes/"))) << "nothing else is left";
}

TEST_F(PreparedPsfTest, AnEstimatedPsfIsWrittenAsItWasUsed) {
  const Shape3 extent{9, 11, 11};
  SaveStacks(folder_.path() / "guess.ome.tif", 1, 1, extent, kPlaneUm, {GaussianPsf(extent, 1.8, 1.6, 1.6)});
  const CliResult run = RunCli(
      {"run", File("raw.ome.tif"), "--psf", File("guess.ome.tif"), "-o", File("out.ome.tif"), "--method", "blind-rl",
       "--background", "5", "--psf-energy", "1", "--save-prepared-psf", File("used.ome.tif"), "--local"},
      folder_.path());
  ASSERT_EQ(run.exit.code, 0) << run.err;
  const Image used = Load("used.ome.tif"), estimated = Load("out.psf.ome.tif");
  ASSERT_EQ(used.shape(), estimated.shape()) << "all of it is used, and its origin is in the middle already";
  ASSERT_EQ(used.shape().c, 2);
  EXPECT_LE(RelativeL2(used.voxels, estimated.voxels), 1e-6);
}

}  // namespace
}  // namespace deconvoy::testing
