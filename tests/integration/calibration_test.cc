// Automatic parameters through the real programs: found on samples, and the same in every tile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kShape[] = "32,96,96";
// What `deconvoy simulate` adds where it is not told otherwise.
const std::vector<std::string> kCamera = {"--background", "2", "--offset", "100", "--read-noise", "1.5"};

void SimulatePhotons(const fs::path& folder, const std::string& photons) {
  Simulate(folder, kShape, 7, {"--photons", photons, "--psf-fwhm-um", "0.8,0.32,0.32", "--background", "2"});
}

// The job of `deconvoy run --json`, and its result.
struct Outcome {
  nlohmann::json job;
  Image result;
};

Outcome RunWith(const fs::path& raw, const fs::path& psf, const fs::path& output,
                const std::vector<std::string>& options) {
  const CliResult cli =
      RunCli(With({"run", raw.string(), "--psf", psf.string(), "--local", "--json", "-o", output.string()}, options),
             output.parent_path());
  EXPECT_EQ(cli.exit.code, 0) << cli.err << cli.out;
  Outcome run{LastJson(cli.out)["job"], {}};
  auto image = LoadImage(output);
  EXPECT_OK(image.status());
  if (image.ok()) run.result = *std::move(image);
  return run;
}

class CalibrationTest : public ::testing::Test {
 protected:
  Outcome RunSimulated(const std::vector<std::string>& options) {
    return RunWith(folder_.path() / "raw.ome.tif", folder_.path() / "psf.ome.tif", folder_.path() / "out.tif",
                   With(kCamera, options));
  }
  double Quality(const std::vector<std::string>& options) {
    return Correlation(RunSimulated(options).result.voxels, Truth());
  }
  std::vector<double> Truth() {
    auto truth = LoadImage(folder_.path() / "truth.ome.tif");
    EXPECT_OK(truth.status());
    return truth.ok() ? truth->voxels : std::vector<double>();
  }

  TemporaryFolder folder_;
};

TEST_F(CalibrationTest, EveryTileGetsTheNumberThatWasFound) {
  SimulatePhotons(folder_.path(), "50");
  const std::vector<std::string> tiles = {"--tile", "32,32,96"};
  const Outcome automatic = RunSimulated(With(tiles, {"--iterations", "auto"}));
  const nlohmann::json& found = automatic.job["calibrations"][0];
  EXPECT_EQ(found["parameter"], "iterations");
  EXPECT_EQ(found["criterion"], "likelihood of held-out photons, 3 tiles");
  EXPECT_GT(found["candidates"].size(), 8U);
  EXPECT_EQ(automatic.job["spec"]["deconvolve"]["parameters"]["iterations"], "auto");
  EXPECT_EQ(automatic.job["progress"]["tasks_done"], 7);
  const Outcome given = RunSimulated(With(tiles, {"--iterations", found["value"].get<std::string>()}));
  EXPECT_EQ(MaxAbs(automatic.result.voxels, given.result.voxels), 0);
}

TEST_F(CalibrationTest, IsToldInALine) {
  SimulatePhotons(folder_.path(), "5");
  const CliResult cli =
      RunCli(With({"run", (folder_.path() / "raw.ome.tif").string(), "--psf", (folder_.path() / "psf.ome.tif").string(),
                   "--local", "-o", (folder_.path() / "out.tif").string(), "--iterations", "auto"},
                  kCamera),
             folder_.path());
  EXPECT_EQ(cli.exit.code, 0) << cli.err;
  EXPECT_THAT(cli.out, ::testing::ContainsRegex("iterations: [0-9]+ \\(likelihood of held-out photons, 1 tile\\)"));
}

TEST_F(CalibrationTest, StrengthAndSpectrumAreFound) {
  SimulatePhotons(folder_.path(), "50");
  const Outcome tikhonov = RunSimulated({"--method", "tikhonov", "--set", "lambda=auto"});
  EXPECT_EQ(tikhonov.job["calibrations"][0]["parameter"], "lambda");
  EXPECT_EQ(tikhonov.job["calibrations"][0]["candidates"].size(), 37U);
  const Outcome wiener = RunSimulated({"--method", "wiener", "--set", "nsr=auto"});
  EXPECT_EQ(wiener.job["calibrations"][0]["signal_to_noise"].size(), 32U);
  const std::vector<double> truth = Truth();
  EXPECT_GT(Correlation(wiener.result.voxels, truth), Quality({"--method", "wiener"}));
}

TEST_F(CalibrationTest, NoiseThatIsNotPhotonsIsNoticed) {
  const fs::path bars = SharedData() / "dvbars";
  SKIP_WITHOUT(bars / "raw_g10.tif");
  const auto truth = LoadImage(bars / "truth.tif");
  ASSERT_OK(truth.status());
  const Outcome automatic =
      RunWith(bars / "raw_g10.tif", bars / "psf.tif", folder_.path() / "out.tif", {"--iterations", "auto"});
  EXPECT_EQ(automatic.job["calibrations"][0]["criterion"],
            "likelihood of held-out voxels, as the noise is not that of photons, 1 tile");
  const Outcome many =
      RunWith(bars / "raw_g10.tif", bars / "psf.tif", folder_.path() / "out.tif", {"--iterations", "60"});
  EXPECT_GE(Correlation(automatic.result.voxels, truth->voxels), 0.9 * Correlation(many.result.voxels, truth->voxels));
}

}  // namespace
}  // namespace deconvoy::testing
