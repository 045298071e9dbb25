// PSFs and checks from what a file tells of its microscope, and jobs that wait for a worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kInstrument[] =
    R"(<Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="1.4" Immersion="Oil"/></Instrument>)";

// Replaces the first `what` of the file's OME-XML.
void Rewrite(const fs::path& file, const std::string& what, const std::string& with) {
  TIFF* tiff = TIFFOpen(file.c_str(), "r+");
  ASSERT_NE(tiff, nullptr);
  const char* text = nullptr;
  ASSERT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text), 1);
  std::string xml = text;
  const size_t at = xml.find(what);
  ASSERT_NE(at, std::string::npos) << xml;
  xml.replace(at, what.size(), with);
  TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, xml.c_str());
  TIFFRewriteDirectory(tiff);
  TIFFClose(tiff);
}

class OpticsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    v1::VolumeSpec raw = MakeSpec({1, 2, 12, 40, 40}, v1::U16);
    raw.mutable_voxel_size()->set_z_um(0.2);
    raw.mutable_voxel_size()->set_y_um(0.065);
    raw.mutable_voxel_size()->set_x_um(0.065);
    raw.add_channels()->set_emission_wavelength_um(0.461);
    raw.add_channels()->set_emission_wavelength_um(0.668);
    std::vector<double> voxels(2 * 12 * 40 * 40, 10);
    for (size_t i = 0; i < voxels.size(); i += 317) voxels[i] += 300;
    for (size_t i = 1; i < voxels.size(); i += 2) voxels[i] += 5;
    ASSERT_OK(SaveImage(File("raw.ome.tif"), raw, voxels));
    Rewrite(File("raw.ome.tif"), "<Image ", std::string(kInstrument) + "<Image ");
    for (int c = 0; c < 2; ++c) {
      Rewrite(File("raw.ome.tif"), "SamplesPerPixel=", "AcquisitionMode=\"WideField\" Samples=");
    }
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  CliResult Run(const std::vector<std::string>& arguments) const { return RunCli(arguments, folder_.path()); }

  // Of a channel's in-focus plane: the second moment along x about its middle.
  static double Spread(const Image& psf, int64_t c) {
    const Shape5 shape = psf.shape();
    double sum = 0, squares = 0;
    for (int64_t x = -3; x <= 3; ++x) {
      const double value = psf.at(c, shape.z / 2, shape.y / 2, shape.x / 2 + x);
      sum += value;
      squares += value * static_cast<double>(x * x);
    }
    return squares / sum;
  }

  TemporaryFolder folder_;
};

TEST_F(OpticsTest, AnImageThatTellsItsOpticsNeedsNoPsf) {
  const CliResult run = Run({"run", File("raw.ome.tif"), "-o", File("out.ome.tif"), "--save-psf", File("psf.ome.tif"),
                             "--iterations", "2", "--json", "--local"});
  ASSERT_EQ(run.exit.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("there is no --psf: it is computed from widefield (file), na 1.4 (file)"));
  ASSERT_OK_AND_ASSIGN(const Image psf, LoadImage(File("psf.ome.tif")));
  EXPECT_EQ(psf.shape().c, 2);
  EXPECT_GT(Spread(psf, 1), 1.3 * Spread(psf, 0)) << "longer waves make wider PSFs";
  const auto line = LastJson(run.out);
  EXPECT_EQ(line["saved_psf"], File("psf.ome.tif"));
  EXPECT_EQ(line["job"]["spec"]["deconvolve"]["optics"].size(), 2U);
  EXPECT_EQ(line["job"]["spec"]["deconvolve"]["optics"][1]["emission_um"], 0.668);
  ASSERT_OK_AND_ASSIGN(const Image out, LoadImage(File("out.ome.tif")));
  EXPECT_EQ(out.shape(), (Shape5{1, 2, 12, 40, 40}));
  EXPECT_GT(Sum(out.voxels), 0);

  // What was computed passes the checks of its optics, and fails those of others.
  const CliResult clean = Run({"psf", "check", File("psf.ome.tif"), "--image", File("raw.ome.tif"), "--local"});
  EXPECT_EQ(clean.exit.code, 0) << clean.err;
  EXPECT_THAT(clean.out, HasSubstr("nothing is wrong with this PSF"));
  const CliResult other = Run(
      {"psf", "check", File("psf.ome.tif"), "--image", File("raw.ome.tif"), "--optics", "na=0.8", "--json", "--local"});
  EXPECT_EQ(other.exit.code, 0) << other.err;
  const auto found = LastJson(other.out);
  EXPECT_GE(found["warnings"], 2);
  EXPECT_THAT(other.out, HasSubstr("\"defect\":\"too_narrow\""));
}

TEST_F(OpticsTest, TheOffsetOfACameraIsTakenFromTheFile) {
  Rewrite(File("raw.ome.tif"), "</Instrument>",
          R"(<Detector ID="Detector:0" Type="CMOS"/><Detector ID="Detector:1" Type="PMT"/></Instrument>)");
  for (int c = 0; c < 2; ++c) {
    Rewrite(File("raw.ome.tif"), "nm\"/>", "nm\"><DetectorSettings ID=\"Detector:0\" Offset=\"8\"/></Channel>");
  }
  const std::vector<std::string> run = {
      "run", File("raw.ome.tif"), "-o", File("out.ome.tif"), "--iterations", "1", "--json", "--local"};
  const CliResult taken = Run(run);
  ASSERT_EQ(taken.exit.code, 0) << taken.err;
  EXPECT_THAT(taken.out, HasSubstr("there is no --offset: it is 8 counts, the camera's (file)"));
  EXPECT_EQ(LastJson(taken.out)["job"]["spec"]["deconvolve"]["offset_counts"], 8);
  std::vector<std::string> given = run;
  given.insert(given.end(), {"--offset", "5"});
  const CliResult told = Run(given);
  EXPECT_EQ(LastJson(told.out)["job"]["spec"]["deconvolve"]["offset_counts"], 5) << told.err;
  for (int c = 0; c < 2; ++c) Rewrite(File("raw.ome.tif"), "ID=\"Detector:0\" Offset", "ID=\"Detector:1\" Offset");
  const CliResult tube = Run(run);
  EXPECT_THAT(tube.out, HasSubstr("the file tells an offset of 8 of the detector, in a unit that it leaves open"));
  EXPECT_FALSE(LastJson(tube.out)["job"]["spec"]["deconvolve"].contains("offset_counts")) << tube.out;
}

TEST_F(OpticsTest, WhatIsMissingIsSaidAndMayBeAssumed) {
  Rewrite(File("raw.ome.tif"), " Immersion=\"Oil\"", "");
  const CliResult refused = Run({"run", File("raw.ome.tif"), "-o", File("out.ome.tif"), "--local"});
  EXPECT_EQ(refused.exit.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("the refractive index of the immersion (1.515 would be assumed)"));
  EXPECT_THAT(refused.err, Not(HasSubstr("numerical aperture")));
  EXPECT_THAT(refused.err, HasSubstr("--optics ri_immersion=..., or --assume, or a PSF with --psf"));
  const CliResult assumed =
      Run({"run", File("raw.ome.tif"), "-o", File("out.ome.tif"), "--iterations", "1", "--assume", "--local"});
  EXPECT_EQ(assumed.exit.code, 0) << assumed.err;
  EXPECT_THAT(assumed.err, HasSubstr("warning: there is no --psf: it is computed from"));
  EXPECT_THAT(assumed.err, HasSubstr("ri_immersion 1.515 (assumed)"));
}

TEST_F(OpticsTest, AGivenPsfIsHeldAgainstTheOptics) {
  v1::VolumeSpec spec = MakeSpec({1, 1, 11, 31, 31}, v1::F32);
  spec.mutable_voxel_size()->set_z_um(0.2);
  spec.mutable_voxel_size()->set_y_um(0.065);
  spec.mutable_voxel_size()->set_x_um(0.065);
  ASSERT_OK(SaveImage(File("broad.ome.tif"), spec, GaussianPsf({11, 31, 31}, 2, 4, 4)));
  const CliResult run = Run({"run", File("raw.ome.tif"), "--psf", File("broad.ome.tif"), "-o", File("out.ome.tif"),
                             "--iterations", "1", "--local"});
  EXPECT_EQ(run.exit.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("times that of"));
  EXPECT_THAT(run.err, HasSubstr("too broad"));
}

TEST_F(OpticsTest, PreflightTellsWhatAJobNeeds) {
  const CliResult told = Run({"preflight", File("raw.ome.tif"), "--local"});
  EXPECT_EQ(told.exit.code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("it would be accepted"));
  EXPECT_THAT(told.out, HasSubstr("tiles: about 1 per frame"));
  const CliResult json = Run({"preflight", File("raw.ome.tif"), "--json", "--local"});
  EXPECT_EQ(LastJson(json.out)["report"]["accepted"], true) << json.out;
  const CliResult refused = Run({"preflight", File("raw.ome.tif"), "--set", "residual=1", "--local"});
  EXPECT_NE(refused.exit.code, 0);
}

TEST_F(OpticsTest, AJobWaitsForAWorkerThatHasYetToCome) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  v1::VolumeSpec spec = MakeSpec({1, 1, 5, 9, 9}, v1::F32);
  ASSERT_OK(SaveImage(File("psf.ome.tif"), spec, GaussianPsf({5, 9, 9}, 1, 1.5, 1.5)));
  const CliResult submitted = server.Cli({"submit", File("raw.ome.tif"), "--psf", File("psf.ome.tif"), "--psf-voxel-um",
                                          "0.2,0.065,0.065", "--iterations", "1"});
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  EXPECT_THAT(submitted.err, HasSubstr("it is waiting for a worker"));
  EXPECT_THAT(server.Cli({"jobs"}).out, HasSubstr("0 %, waiting for a worker"));
  const auto worker = server.StartWorker("late");
  EXPECT_TRUE(Eventually([&] { return server.Cli({"jobs", "--all"}).out.find("succeeded") != std::string::npos; }));
}

}  // namespace
}  // namespace deconvoy::testing
