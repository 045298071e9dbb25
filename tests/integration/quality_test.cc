// What the service says of a result: nothing of a good one, and of a spoiled one what spoiled it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kShape[] = "24,96,96";

class QualityFindingsTest : public ::testing::Test {
 protected:
  // A specimen of this light, its PSF of `fwhm` um.
  fs::path Make(const std::string& name, const std::vector<std::string>& light, const std::string& fwhm) {
    Simulate(folder_.path() / name, kShape, 1, With(light, {"--psf-fwhm-um", fwhm}));
    return folder_.path() / name;
  }

  // The warnings of a run with `options`, each with its field's name before it.
  std::vector<std::string> Warnings(const fs::path& raw, const fs::path& psf, const std::vector<std::string>& options) {
    const CliResult run = RunCli(With({"run", raw / "raw.ome.tif", "--psf", psf / "psf.ome.tif", "-o",
                                       folder_.path() / "out.tif", "--local", "--json", "--offset", "100"},
                                      options),
                                 folder_.path());
    EXPECT_EQ(run.exit.code, 0) << run.err;
    std::vector<std::string> warnings;
    job_ = LastJson(run.out)["job"];
    for (const auto& finding : job_["findings"]) {
      if (finding["severity"] != "WARNING") continue;
      warnings.push_back(finding["info"]["field"].get<std::string>() + ": " + finding["message"].get<std::string>());
    }
    return warnings;
  }

  nlohmann::json job_;  // of the last run
  TemporaryFolder folder_;
};

const std::vector<std::string> kMixed = {"--kind", "mixed", "--photons", "200", "--background", "5"};
const std::vector<std::string> kNuclei = {"--kind", "nuclei", "--photons", "300", "--background", "20"};
const std::vector<std::string> kFilaments = {"--kind", "filaments", "--photons", "1000", "--background", "50"};
constexpr char kFwhm[] = "0.6,0.25,0.25", kWide[] = "0.84,0.35,0.35", kNarrow[] = "0.36,0.15,0.15";

TEST_F(QualityFindingsTest, AGoodRunIsNotWarnedOf) {
  for (const auto& light : {kMixed, kNuclei, kFilaments}) {
    const fs::path set = Make(light[1], light, kFwhm);
    EXPECT_THAT(Warnings(set, set, {}), IsEmpty()) << light[1];
    const auto& quality = job_["result"]["quality"];
    EXPECT_EQ(quality["voxels"], 24 * 96 * 96);
    const double squares = quality["residual_squares"].get<double>() / (24 * 96 * 96);
    EXPECT_NEAR(std::sqrt(squares), 1, 0.15) << light[1];
  }
}

TEST_F(QualityFindingsTest, TooManyIterationsAmplifyNoise) {
  for (const auto& light : {kMixed, kNuclei}) {
    const fs::path set = Make(light[1], light, kFwhm);
    EXPECT_THAT(Warnings(set, set, {"--iterations", "2000"}),
                Contains(AllOf(HasSubstr("deconvolve.parameters: "), HasSubstr("noise has been amplified"))))
        << light[1];
  }
}

TEST_F(QualityFindingsTest, AWidePsfLeavesStructure) {
  const fs::path set = Make("filaments", kFilaments, kFwhm), wide = Make("wide", kFilaments, kWide);
  EXPECT_THAT(Warnings(set, wide, {}), Contains(HasSubstr("deconvolve.psf_volume: the residual is not noise")));
}

TEST_F(QualityFindingsTest, WithANarrowPsfTheResultFollowsTheNoise) {
  const fs::path narrow = Make("narrow", kMixed, kNarrow);
  for (const auto& light : {kMixed, kFilaments}) {
    const fs::path set = Make(light[1], light, kFwhm);
    EXPECT_THAT(Warnings(set, narrow, {}), Contains(HasSubstr("deconvolve.psf_volume: the result follows the noise")))
        << light[1];
  }
}

TEST_F(QualityFindingsTest, ABackgroundTooHighIsABiasAndLosesFaintStructures) {
  const fs::path set = Make("filaments", kFilaments, kFwhm);
  EXPECT_THAT(Warnings(set, set, {"--background", "75"}),
              Contains(HasSubstr("deconvolve.background: the blurred result is brighter than the image")));
  const std::vector<std::string> far = Warnings(set, set, {"--background", "200"});
  EXPECT_THAT(far, Contains(HasSubstr("deconvolve.background: the blurred result is brighter")));
  EXPECT_THAT(far, Contains(HasSubstr("of small structures near the background only")));
}

TEST_F(QualityFindingsTest, RingsOfAMethodThatGoesBelowZeroAreSaid) {
  const fs::path set = Make("filaments", kFilaments, kFwhm);
  EXPECT_THAT(Warnings(set, set, {"--method", "tikhonov"}), Contains(HasSubstr("it rings")));
}

// Measured, smooth, synthetic, with too few iterations: none of these is spoiled.
TEST_F(QualityFindingsTest, StacksOfOtherOriginRaiseNoFalseAlarm) {
  const fs::path data = SharedData();
  for (const char* name : {"dvbars/raw_g15.tif", "confocal_beads_grid/raw.tif", "deconwolf_dapi/raw.tif",
                           "flowdec_bars/raw.tif", "flowdec_bead/raw.tif"}) {
    const fs::path raw = data / name;
    SKIP_WITHOUT(raw);
    const CliResult run = RunCli(
        {"run", raw, "--psf", raw.parent_path() / "psf.tif", "-o", folder_.path() / "out.tif", "--local", "--json"},
        folder_.path());
    ASSERT_EQ(run.exit.code, 0) << run.err;
    const nlohmann::json job = LastJson(run.out)["job"];
    for (const auto& finding : job["findings"]) {
      const std::string message = finding["message"];
      EXPECT_TRUE(finding["severity"] != "WARNING" || message.starts_with("PSF of channel")) << name << ": " << message;
    }
  }
}

// In several tiles as in one, and for methods and boundaries of each kind.
TEST_F(QualityFindingsTest, TheResidualIsWrittenBesideTheResult) {
  const fs::path set = Make("filaments", kFilaments, kFwhm);
  const fs::path map = folder_.path() / "residual.tif";
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {}, {"--tile", "24,48,96"}, {"--dtype", "u16"}, {"--boundary", "periodic"}, {"--method", "van-cittert"}}) {
    Warnings(set, set, With(options, {"--residual", map.string()}));
    ASSERT_OK_AND_ASSIGN(const Image residual, LoadImage(map));
    EXPECT_EQ(residual.spec.type(), v1::F32);
    double sum = 0, squares = 0;
    for (const double r : residual.voxels) {
      sum += r;
      squares += r * r;
    }
    const auto& quality = job_["result"]["quality"];
    EXPECT_EQ(quality["voxels"], residual.voxels.size());
    EXPECT_NEAR(quality["residual_sum"].get<double>(), sum, 1e-3 * std::sqrt(squares * 24 * 96 * 96));
    EXPECT_NEAR(quality["residual_squares"].get<double>(), squares, 1e-4 * squares);
  }
}

TEST_F(QualityFindingsTest, TheObjectiveIsKeptWithTheJob) {
  const fs::path set = Make("filaments", kFilaments, kFwhm);
  Warnings(set, set, {"--set", "objective=3", "--set", "acceleration=none", "--iterations", "8"});
  const auto& told = job_["objective"];
  ASSERT_EQ(told.size(), 4U);
  constexpr std::array kTold = {1, 3, 6, 8};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(told[i]["iteration"], kTold[i]);
    EXPECT_EQ(told[i]["data_squares"], told[0]["data_squares"]);
    EXPECT_GT(told[i]["residual_squares"], 0);
    if (i == 0) continue;
    EXPECT_LT(told[i]["value"], told[i - 1]["value"]);
    EXPECT_LT(told[i]["residual_squares"], told[i - 1]["residual_squares"]);
  }
  EXPECT_LT(told[3]["residual_squares"], told[3]["data_squares"]);
}

}  // namespace
}  // namespace deconvoy::testing
