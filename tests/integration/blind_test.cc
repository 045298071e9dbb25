// blind-rl through the real programs: the PSF is estimated once for each channel, used by every tile, and brought.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr Shape3 kShape{24, 64, 64}, kExtent{15, 15, 15};
constexpr double kBackground = 5;
// Standard deviations of the true PSFs of two channels, and of the one that is given for both, about 1.3 times as wide.
constexpr Sigma kTrue[] = {{2, 1.4, 1.4}, {1.7, 1.2, 1.2}}, kGiven{2.5, 1.75, 1.75};
const std::vector<std::string> kOptions = {"--method", "blind-rl", "--background", "5", "--psf-energy", "1"};
const std::vector<std::string> kTiles = {"--tile", "24,32,64"};

// One channel, or both.
struct Scene {
  explicit Scene(int channels) {
    std::vector<std::vector<double>> images;
    for (int c = 0; c < channels; ++c) {
      images.push_back(Noisy(Blurred(beads, kShape, kTrue[c]), kBackground, 30 + static_cast<uint64_t>(c)));
    }
    SaveStacks(raw(), 1, channels, kShape, 0.1, images);
    SaveStacks(psf(), 1, 1, kExtent, 0.1, {GaussianPsf(kExtent, kGiven.z, kGiven.y, kGiven.x)});
  }
  fs::path raw() const { return folder.path() / "raw.ome.tif"; }
  fs::path psf() const { return folder.path() / "psf.ome.tif"; }

  CliResult Run(const std::vector<std::string>& options, const std::string& output = "out.tif") const {
    return RunCli(
        With({"run", raw().string(), "--psf", psf().string(), "--local", "-o", (folder.path() / output).string()},
             options),
        folder.path());
  }
  Image Load(const std::string& name) const {
    auto image = LoadImage(folder.path() / name);
    EXPECT_OK(image.status());
    return image.ok() ? *std::move(image) : Image();
  }

  TemporaryFolder folder;
  std::vector<Bead> beads = RandomBeads(kShape, 40, 20000, {5, 5, 5}, 12);
};

TEST(BlindTest, BringsThePsfOfEachChannelAndUsesItInEveryTile) {
  const Scene scene(2);
  const CliResult cli = scene.Run(With(With(kOptions, kTiles), {"--json"}));
  ASSERT_EQ(cli.exit.code, 0) << cli.err;
  const nlohmann::json line = LastJson(cli.out), job = line["job"];
  EXPECT_EQ(line["psf"], (scene.folder.path() / "out.psf.tif").string());
  EXPECT_EQ(job["progress"]["tasks_done"], 1 + 2 + 2 * 2);
  ASSERT_EQ(job["psf_estimates"].size(), 2U);
  const Image psf = scene.Load("out.psf.tif");
  ASSERT_EQ(psf.shape(), (Shape5{1, 2, kExtent.z, kExtent.y, kExtent.x}));
  const auto voxels = kExtent.voxels();
  for (int64_t c = 0; c < 2; ++c) {
    const std::vector<double> channel(psf.voxels.begin() + c * voxels, psf.voxels.begin() + (c + 1) * voxels);
    EXPECT_NEAR(Sum(channel), 1, 1e-5);
    EXPECT_GE(*std::min_element(channel.begin(), channel.end()), 0);
    const std::vector<double> truth = GaussianPsf(kExtent, kTrue[c].z, kTrue[c].y, kTrue[c].x),
                              given = GaussianPsf(kExtent, kGiven.z, kGiven.y, kGiven.x);
    EXPECT_LT(RelativeL2(channel, truth), 0.5 * RelativeL2(given, truth)) << "channel " << c;
  }
  // Plain rl with what was brought gives what the tiles gave.
  const CliResult again =
      RunCli(With({"run", scene.raw().string(), "--psf", (scene.folder.path() / "out.psf.tif").string(), "--local",
                   "-o", (scene.folder.path() / "again.tif").string(), "--background", "5", "--psf-energy", "1",
                   "--psf-centre", "geometric"},
                  kTiles),
             scene.folder.path());
  ASSERT_EQ(again.exit.code, 0) << again.err;
  EXPECT_LE(NrmseOfRange(scene.Load("out.tif").voxels, scene.Load("again.tif").voxels), 1e-3);
}

TEST(BlindTest, IsTold) {
  const Scene scene(1);
  const CliResult cli = scene.Run(kOptions);
  ASSERT_EQ(cli.exit.code, 0) << cli.err;
  EXPECT_THAT(cli.out + cli.err, ContainsRegex("PSF of channel 0, estimated from the image: full width at half maximum "
                                               "[0-9.]+ x [0-9.]+ x [0-9.]+ voxels of 0.1 x 0.1 x 0.1 um"));
  EXPECT_THAT(cli.out, HasSubstr("out.psf.tif: the PSF as it was estimated"));
}

TEST(BlindTest, BadParametersAreRefusedBeforeAnythingIsSent) {
  const Scene scene(1);
  for (const char* wrong :
       {"rounds=0", "image_steps=101", "psf_steps=0", "symmetry=radial", "support=1", "initial=image"}) {
    const CliResult cli = scene.Run(With(kOptions, {"--set", wrong}));
    EXPECT_EQ(cli.exit.code, 2) << wrong << ": " << cli.err;
  }
  const CliResult periodic = scene.Run(With(kOptions, {"--boundary", "periodic"}));
  EXPECT_NE(periodic.exit.code, 0);
  EXPECT_THAT(periodic.err, HasSubstr("boundary"));
}

TEST(BlindTest, AnInputIsNotReplacedByThePsf) {
  const Scene scene(1);
  SaveStacks(scene.folder.path() / "out.psf.ome.tif", 1, 1, kExtent, 0.1,
             {GaussianPsf(kExtent, kGiven.z, kGiven.y, kGiven.x)});
  const auto before = fs::file_size(scene.folder.path() / "out.psf.ome.tif");
  const CliResult cli =
      RunCli(With({"run", scene.raw().string(), "--psf", (scene.folder.path() / "out.psf.ome.tif").string(), "--local",
                   "-o", (scene.folder.path() / "out.ome.tif").string(), "--set", "rounds=1"},
                  kOptions),
             scene.folder.path());
  EXPECT_EQ(cli.exit.code, 0) << cli.err;
  EXPECT_THAT(cli.err, HasSubstr("the estimated PSF is not written"));
  EXPECT_EQ(fs::file_size(scene.folder.path() / "out.psf.ome.tif"), before);
}

TEST(BlindTest, ARestartedServerGoesOnWithTheSamePsf) {
  const Scene scene(2);
  ASSERT_EQ(scene.Run(With(kOptions, kTiles), "quiet.tif").exit.code, 0);
  ASSERT_TRUE(fs::create_directory(scene.folder.path() / "server"));
  ServerProcess server(scene.folder.path() / "server");
  ASSERT_TRUE(server.Start()) << server.Log();
  const std::vector<std::string> submit =
      With(With({"submit", scene.raw().string(), "--psf", scene.psf().string(), "--json"}, kOptions), kTiles);
  const CliResult submitted = server.Cli(submit);
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  const std::string job = LastJson(submitted.out)["job"]["name"];
  // Killed as soon as the first PSF is there.
  for (int i = 0; i < 600; ++i) {
    const nlohmann::json shown = LastJson(server.Cli({"job", job, "--json"}).out);
    if (shown["progress"].value("tasks_done", 0) >= 2) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  server.Kill();
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_EQ(server.Cli({"watch", job}).exit.code, 0);
  const fs::path output = scene.folder.path() / "killed.tif";
  const CliResult fetched = server.Cli({"fetch", job, "-o", output.string()});
  ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
  EXPECT_EQ(MaxAbs(scene.Load("killed.tif").voxels, scene.Load("quiet.tif").voxels), 0);
  EXPECT_EQ(MaxAbs(scene.Load("killed.psf.tif").voxels, scene.Load("quiet.psf.tif").voxels), 0);
}

}  // namespace
}  // namespace deconvoy::testing
