// Backup, check and repair with the programs themselves, around jobs of several kinds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

class MaintenanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path(), "8,32,32", 3);
    ASSERT_TRUE(server_.Start()) << server_.Log();
    ASSERT_EQ(server_.Cli({"psf", "add", "mine", file("psf.ome.tif")}).exit.code, 0);
    ran_ = server_.Cli({"run", file("raw.ome.tif"), "--psf", file("psf.ome.tif"), "--iterations", "3", "--background",
                        "5", "--tile", "8,16,16", "--keep", "-o", file("out.tif")});
    ASSERT_EQ(ran_.exit.code, 0) << ran_.err << server_.Log();
  }

  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  struct Errand {
    int code = -1;
    nlohmann::json report;  // of a check
    std::string said;
  };
  // `deconvoyd --state ... ARGUMENTS`.
  Errand Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--state", server_.state().string()});
    Process program("deconvoyd", arguments, {{}, folder_.path(), fmt::format("errand{}", ++errands_)});
    const auto exit = program.Wait(std::chrono::seconds(60));
    return {exit ? exit->code : -1, nlohmann::json::parse(program.Output(), nullptr, false),
            program.Output() + program.Errors()};
  }

  std::vector<fs::path> VolumeFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(server_.state() / "spool/volumes")) files.push_back(entry.path());
    return files;
  }

  int errands_ = 0;
  const TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  CliResult ran_;
};

TEST_F(MaintenanceTest, WhatAServerLeavesIsSound) {
  EXPECT_EQ(Run({"--check"}).code, 3) << "a folder in use was checked";
  ASSERT_TRUE(server_.Stop().has_value());
  const Errand check = Run({"--check", "--json"});
  EXPECT_EQ(check.code, 0) << check.said;
  EXPECT_EQ(check.report["findings"].size(), 0U) << check.said;
  EXPECT_EQ(check.report["volumes"].get<size_t>(), VolumeFiles().size());
  EXPECT_GE(check.report["jobs"].get<int>(), 1);
}

TEST_F(MaintenanceTest, DamageIsFoundInEveryFileAndMended) {
  ASSERT_TRUE(server_.Stop().has_value());
  const std::vector<fs::path> files = VolumeFiles();
  for (auto path = files.begin(); path != files.end(); ++path) {
    // Volumes with the same bytes share a file.
    if (std::any_of(files.begin(), path, [&](const fs::path& before) { return fs::equivalent(before, *path); }))
      continue;
    std::fstream stream(*path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(5);
    const auto byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(5);
    stream.put(byte);
  }
  const Errand check = Run({"--check", "--json"});
  EXPECT_EQ(check.code, 1) << check.said;
  EXPECT_EQ(check.report["findings"].size(), files.size()) << check.said;
  for (const auto& finding : check.report["findings"]) EXPECT_EQ(finding["kind"], "box-damaged") << finding;
  const Errand repair = Run({"--repair", "--json"});
  EXPECT_EQ(repair.code, 1) << "voxels of a result are lost for good: " << repair.said;
  for (const auto& finding : repair.report["findings"]) EXPECT_EQ(finding["kind"], "result-incomplete") << finding;
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const CliResult again = server_.Cli({"run", file("raw.ome.tif"), "--psf", file("psf.ome.tif"), "--iterations", "3",
                                       "--background", "5", "-o", file("again.tif")});
  EXPECT_EQ(again.exit.code, 0) << again.err;
}

TEST_F(MaintenanceTest, ABackupOfARunningServerIsRestored) {
  const std::string backup = file("backup.sqlite");
  const Errand made = Run({"--backup", backup});
  ASSERT_EQ(made.code, 0) << made.said;
  fs::copy(server_.state() / "spool", folder_.path() / "spool", fs::copy_options::recursive);
  ASSERT_TRUE(server_.Stop().has_value());
  // The disk is lost but for the backup.
  for (const char* end : {"", "-wal", "-shm"}) fs::remove((server_.state() / "deconvoy.sqlite").string() + end);
  fs::remove_all(server_.state() / "spool");
  fs::copy_file(backup, server_.state() / "deconvoy.sqlite");
  fs::copy(folder_.path() / "spool", server_.state() / "spool", fs::copy_options::recursive);
  const Errand repair = Run({"--repair", "--json"});
  EXPECT_EQ(repair.code, 0) << repair.said;
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const std::string jobs = server_.Cli({"jobs", "--all", "--json"}).out;
  const size_t begin = jobs.find("jobs/");
  ASSERT_NE(begin, std::string::npos) << jobs;
  const std::string job = jobs.substr(begin, jobs.find_first_of("\" \n", begin) - begin);
  const CliResult fetched = server_.Cli({"fetch", job, "-o", file("restored.tif")});
  ASSERT_EQ(fetched.exit.code, 0) << fetched.err << jobs;
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(file("out.tif")));
  ASSERT_OK_AND_ASSIGN(const Image restored, LoadImage(file("restored.tif")));
  EXPECT_TRUE(restored.voxels == expected.voxels);
}

}  // namespace
}  // namespace deconvoy::testing
