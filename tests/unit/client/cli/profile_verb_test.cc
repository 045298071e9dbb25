// deconvoy profile and the files of deconvoy run, as whole commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The planes of raw.tif are 1, 2 and 3.
TEST_F(ProgramTest, ProfileFollowsALine) {
  const Result result = Run({"profile", File("raw.tif"), "--from", "0,4,4", "--to", "2,4,4", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto line = nlohmann::json::parse(result.out);
  EXPECT_EQ(line["values"], (std::vector<double>{1, 2, 3}));
  EXPECT_DOUBLE_EQ(line["step_voxels"], 1);
  EXPECT_NEAR(line["step_um"].get<double>(), 0.2, 1e-6);
  const Result um = Run({"profile", File("raw.tif"), "--from", "0,0.4,0.4", "--to", "0.2,0.4,0.4", "--um", "--json"});
  ASSERT_EQ(um.code, 0) << um.err;
  EXPECT_EQ(nlohmann::json::parse(um.out)["values"].size(), 2U);
}

TEST_F(ProgramTest, ProfileOfSeveralStacksGoesIntoOneTableAndOnePlot) {
  const Result result = Run({"profile", File("raw.tif"), File("raw.tif"), "--through-brightest", "--axis", "z", "--csv",
                             "-", "-o", File("plot.png")});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("voxels,um,"));
  EXPECT_THAT(result.out, HasSubstr("\n2,0.4,3,3\n"));
  EXPECT_GT(std::filesystem::file_size(File("plot.png")), 1000U);
  ASSERT_EQ(
      Run({"profile", File("raw.tif"), "--at", "1,4,4", "--axis", "x", "--length", "4", "--csv", File("p.csv")}).code,
      0);
  std::ifstream file(File("p.csv"));
  const std::string table((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 6) << table;
}

TEST_F(ProgramTest, ProfileWantsOneLine) {
  const std::string raw = File("raw.tif");
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"--from", "0,0,0"},
                                             {"--at", "1,1,1"},
                                             {"--through-brightest"},
                                             {"--at", "1,1,1", "--axis", "z", "--from", "0,0,0", "--to", "1,1,1"},
                                             {"--at", "1,1", "--axis", "z"},
                                             {"--at", "1,1,1", "--axis", "z", "-o", "plot.jpg"},
                                             {"--from", "0,0,0", "--to", "1,1,1", "--axis", "z"}}) {
    std::vector<std::string> arguments = {"profile", raw};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(Run(arguments).code, 2) << ::testing::PrintToString(wrong);
  }
  EXPECT_EQ(Run({"profile", raw, "--from", "0,0,0", "--to", "9,0,0"}).code, 3);
}

TEST_F(ProgramTest, TheResidualNeedsAFileOfItsOwn) {
  EXPECT_EQ(RunJob({"--residual", File("out.tif")}).code, 2);
  EXPECT_EQ(RunJob({"--residual", File("raw.tif")}).code, 2);
  EXPECT_EQ(RunJob({"--residual", File("../" + folder_.path().filename().string() + "/out.tif")}).code, 2);
  Save("mask.tif", {1, 1, 3, 8, 9}, v1::U8);
  EXPECT_EQ(RunJob({"--mask", File("mask.tif"), "--residual", File("mask.tif")}).code, 2);
  Save("flat.tif", {1, 1, 1, 8, 9}, v1::F32);
  for (const char* option : {"--residual", "--save-psf"}) {
    const Result result = RunJob({"--flat-field", File("flat.tif"), option, File("flat.tif")});
    EXPECT_EQ(result.code, 2) << option;
    EXPECT_THAT(result.err, HasSubstr("flat.tif is given twice"));
  }
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  EXPECT_NE(RunJob({"--residual", File("missing/residual.tif")}).code, 0);
}

TEST_F(ProgramTest, ProfileReplacesNoStackAndLooksForItsPlacesFirst) {
  const auto profile = [this](const std::string& option, const std::string& file) {
    return Run(
        {"profile", File("raw.tif"), "--through-brightest", "--axis", "z", "-o", File("plot.png"), option, file});
  };
  const Result table = profile("--csv", File("raw.tif"));
  EXPECT_EQ(table.code, 2);
  EXPECT_THAT(table.err, HasSubstr("raw.tif is given twice: --csv needs a file of its own"));
  EXPECT_OK(imageio::OpenImage(File("raw.tif")));
  EXPECT_EQ(profile("--csv", File("plot.png")).code, 2);
  const Result nowhere = profile("--csv", File("none/table.csv"));
  EXPECT_EQ(nowhere.code, 3);
  EXPECT_EQ(nowhere.out, "") << "nothing has been computed";
  std::filesystem::copy_file(File("raw.tif"), File("raw.png"));
  EXPECT_EQ(Run({"profile", File("raw.png"), "--through-brightest", "--axis", "z", "-o", File("raw.png")}).code, 2);
  EXPECT_OK(imageio::OpenImage(File("raw.png")));
}

}  // namespace
}  // namespace deconvoy::client
