// PSFs that a real server keeps: made by jobs, used by name, checked, measured and removed, over restarts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PsfLibraryTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start()) << server_.Log(); }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  // A verb that must succeed.
  CliResult Do(const std::vector<std::string>& arguments) const {
    CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << arguments[0] << " " << arguments[1] << ": " << result.err << server_.Log();
    return result;
  }

  // Keeps `psfs/water` from optics of this aperture, and writes it to `file`.
  void Generate(const std::string& na, const std::string& file) const {
    Do({"psf", "generate", "-o", File(file), "--optics", "ri_immersion=1.333,emission_um=0.52,na=" + na, "--voxel-um",
        "0.25,0.1,0.1", "--shape", "15,21,21", "--keep", "water"});
  }

  void SimulateRaw(const std::string& psf) const {
    Do({"simulate", "-o", File("sample"), "--shape", "16,40,40", "--psf", File(psf), "--voxel-um", "0.25,0.1,0.1"});
  }

  CliResult Deconvolve(const std::string& psf, const std::string& output, std::vector<std::string> more = {}) const {
    return Do(With({"run", File("sample/raw.ome.tif"), "--psf", psf, "-o", File(output), "--iterations", "5"}, more));
  }

  Image Load(const std::string& file) const {
    auto image = LoadImage(File(file));
    EXPECT_OK(image);
    return image.ok() ? *std::move(image) : Image{};
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
};

TEST_F(PsfLibraryTest, AVersionServesJobsLikeItsFileAlsoAfterARestart) {
  Generate("1.2", "psf1.ome.tif");
  Generate("0.9", "psf2.ome.tif");
  SimulateRaw("psf1.ome.tif");
  Deconvolve(File("psf1.ome.tif"), "by_file.tif");
  ASSERT_TRUE(server_.Stop().has_value());
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const CliResult first = Deconvolve("psfs/water@1", "by_name.tif", {"--save-psf", File("used.ome.tif"), "--json"});
  EXPECT_TRUE(Load("by_name.tif").voxels == Load("by_file.tif").voxels);
  EXPECT_TRUE(Load("used.ome.tif").voxels == Load("psf1.ome.tif").voxels);
  const auto job = LastJson(first.out)["job"];
  EXPECT_EQ(job["spec"]["deconvolve"]["optics"][0]["na"], 1.2) << "those that the PSF is kept with";
  bool named = false;
  for (const auto& finding : job["findings"]) {
    if (!finding.contains("info") || !finding["info"]["metadata"].contains("psf")) continue;
    named = true;
    EXPECT_EQ(finding["severity"], "INFO");
    EXPECT_EQ(finding["info"]["metadata"]["psf"], "psfs/water/versions/1");
    EXPECT_EQ(finding["info"]["metadata"]["volume"], job["spec"]["deconvolve"]["psf_volume"]);
  }
  EXPECT_TRUE(named) << job["findings"];
  const CliResult newest = Deconvolve("psfs/water", "newest.tif");
  EXPECT_THAT(newest.err, HasSubstr("the PSF is psfs/water/versions/2 of "));
  EXPECT_FALSE(Load("newest.tif").voxels == Load("by_file.tif").voxels);
  const CliResult local = RunCli(
      {"run", File("sample/raw.ome.tif"), "--psf", "psfs/water", "-o", File("no.tif"), "--local"}, folder_.path());
  EXPECT_EQ(local.exit.code, 2);
  EXPECT_THAT(local.err, HasSubstr("a local server has none"));
}

TEST_F(PsfLibraryTest, ItsWidthsAreFollowedOverVersions) {
  Generate("1.2", "psf1.ome.tif");
  const CliResult broader =
      Do({"psf", "generate", "-o", File("broad.ome.tif"), "--optics", "ri_immersion=1.333,emission_um=0.52,na=0.8",
          "--voxel-um", "0.25,0.1,0.1", "--shape", "15,21,21"});
  const CliResult added = Do({"psf", "add", "water", File("broad.ome.tif"), "--description", "after the repair"});
  EXPECT_THAT(added.err, HasSubstr("widths at half maximum (z, y, x)"));
  EXPECT_THAT(added.err, HasSubstr("against psfs/water@1"));
  EXPECT_THAT(added.err, HasSubstr("See whether the microscope has changed"));
  EXPECT_THAT(added.out, HasSubstr("kept as psfs/water@2"));
  const CliResult history = Do({"psf", "show", "water", "--history", "--json"});
  std::vector<nlohmann::json> rows;
  std::istringstream lines(history.out);
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_discarded() && row.value("event", "") == "widths") rows.push_back(row);
  }
  ASSERT_EQ(rows.size(), 2U) << history.out;
  EXPECT_EQ(rows[0]["psf"], "psfs/water/versions/1");
  EXPECT_EQ(rows[0]["unit"], "um");
  // At least 0.51 wavelengths over the aperture; pixels of 0.1 um and, at high apertures, the light's direction widen
  // it.
  const double widths[] = {0.51 * 0.52 / 1.2, 0.51 * 0.52 / 0.8};
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GT(rows[i]["fwhm"][1].get<double>(), widths[i]);
    EXPECT_LT(rows[i]["fwhm"][1].get<double>(), 1.25 * widths[i]);
  }
  EXPECT_GT(rows[1]["fwhm"][0].get<double>(), 1.5 * rows[0]["fwhm"][0].get<double>());
  EXPECT_THAT(Do({"jobs", "--all"}).out, HasSubstr("no jobs")) << "what measured them has gone";

  const CliResult check = Do({"psf", "check", "psfs/water@1"});
  EXPECT_THAT(check.out, HasSubstr("nothing is wrong with this PSF"));
  EXPECT_THAT(check.err, HasSubstr("its optics are those that it is kept with"));
  const CliResult wrong = Do({"psf", "check", "psfs/water@2", "--optics", "na=1.2,ri_immersion=1.333,emission_um=0.52",
                              "--microscopy", "widefield"});
  EXPECT_THAT(wrong.err, HasSubstr("too broad"));
}

TEST_F(PsfLibraryTest, WhatIsNoPsfIsNotKept) {
  const v1::VolumeSpec spec = MakeSpec({1, 1, 3, 5, 5}, v1::F32);
  std::vector<double> voxels(75, 0);
  ASSERT_OK(SaveImage(File("zeros.ome.tif"), spec, voxels));
  voxels[37] = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK(SaveImage(File("nan.ome.tif"), spec, voxels));
  for (const char* file : {"zeros.ome.tif", "nan.ome.tif"}) {
    const CliResult refused = server_.Cli({"psf", "add", "bad", File(file)});
    EXPECT_EQ(refused.exit.code, 3) << refused.err;
    EXPECT_THAT(refused.out, Not(HasSubstr("kept")));
  }
  EXPECT_THAT(Do({"psf", "list"}).out, HasSubstr("no PSFs"));
  EXPECT_THAT(Do({"volumes", "--json"}).out, Not(HasSubstr("volumes/"))) << "uploads are removed again";
}

TEST_F(PsfLibraryTest, AVolumeIsKeptOnce) {
  Generate("1.2", "psf.ome.tif");
  const std::string volume = LastJson(Do({"psf", "show", "water", "--json"}).out)["volume"];
  const CliResult again = server_.Cli({"psf", "add", "other", volume, "--unchecked"});
  EXPECT_EQ(again.exit.code, 7);
  EXPECT_THAT(again.err, HasSubstr("is kept as psfs/water/versions/1"));
  EXPECT_EQ(server_.Cli({"psf", "show", "other"}).exit.code, 3);
}

TEST_F(PsfLibraryTest, APsfOutlivesItsJobAndGoesWhenItIsRemoved) {
  Do({"simulate", "-o", File("beads"), "--shape", "32,128,128", "--kind", "beads", "--photons", "5000", "--seed", "3"});
  Do({"psf", "distill", File("beads/raw.ome.tif"), "-o", File("psf.ome.tif"), "--shape", "11,13,13", "--keep",
      "beads"});
  EXPECT_THAT(Do({"jobs", "--all"}).out, HasSubstr("no jobs"));
  const auto kept = LastJson(Do({"psf", "show", "beads", "--json"}).out);
  EXPECT_TRUE(kept["job"].get<std::string>().starts_with("jobs/")) << kept;
  EXPECT_THAT(kept["description"].get<std::string>(), HasSubstr("full width at half maximum")) << "of the job's report";
  EXPECT_EQ(kept["spec"]["digest"].get<std::string>().size(), 64U);
  const CliResult held = server_.Cli({"volumes", "delete", kept["volume"].get<std::string>()});
  EXPECT_EQ(held.exit.code, 7);
  EXPECT_THAT(held.err, HasSubstr("is kept as psfs/beads/versions/1"));
  Do({"psf", "show", "beads", "-o", File("back.ome.tif")});
  EXPECT_TRUE(Load("back.ome.tif").voxels == Load("psf.ome.tif").voxels);

  const auto files = [&] {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(server_.state() / "spool/volumes"))
      count += entry.path().extension() == ".raw" ? 1 : 0;
    return count;
  };
  EXPECT_EQ(files(), 1U);
  Do({"psf", "remove", "beads@1"});
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(server_.Cli({"psf", "show", "beads"}).exit.code, 3);
}

}  // namespace
}  // namespace deconvoy::testing
