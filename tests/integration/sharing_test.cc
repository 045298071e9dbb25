// Pauses of a server and of a job over a restart, an interactive job beside a batch, and what usage tells of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

class SharingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path() / "volume", "16,48,48", 3);
    ASSERT_TRUE(server_.Start()) << server_.Log();
  }

  // A job that stays on the server, of the whole stack in four tiles; its name.
  std::string Submit(const std::vector<std::string>& more = {}, const std::string& tile = "16,24,24") {
    const fs::path volume = folder_.path() / "volume";
    const CliResult result =
        server_.Cli(With({"submit", (volume / "raw.ome.tif").string(), "--psf", (volume / "psf.ome.tif").string(),
                          "--tile", tile, "--iterations", "3", "--quiet"},
                         more));
    EXPECT_EQ(result.exit.code, 0) << result.err;
    return result.out.substr(0, result.out.find('\n'));
  }
  nlohmann::json Job(const std::string& name) { return LastJson(server_.Cli({"job", name, "--json"}).out); }
  void Do(const std::vector<std::string>& arguments) {
    const CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << result.err;
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path()};
};

TEST_F(SharingTest, PausesLastOverARestartAndUsageTellsWhatWasComputed) {
  Do({"admin", "pause"});
  const std::string job = Submit(), paused = Submit();
  Do({"job", paused, "--pause"});
  ASSERT_TRUE(server_.Stop());
  ASSERT_TRUE(server_.Start()) << server_.Log();
  EXPECT_EQ(Job(job)["state"], "PENDING");
  EXPECT_EQ(Job(paused)["state"], "PAUSED");

  Do({"admin", "resume"});
  Do({"watch", job});
  EXPECT_EQ(Job(job)["state"], "SUCCEEDED");
  EXPECT_EQ(Job(paused)["state"], "PAUSED");
  EXPECT_EQ(Job(paused)["progress"]["tasks_done"], 0);
  Do({"job", paused, "--resume"});
  Do({"watch", paused});
  EXPECT_EQ(Job(paused)["state"], "SUCCEEDED");
  EXPECT_EQ(server_.Cli({"job", paused, "--pause"}).exit.code, 7) << "it has ended";

  const nlohmann::json usage = LastJson(server_.Cli({"admin", "usage", "--json"}).out);
  EXPECT_EQ(usage["tasks"], 2 * 5);
  EXPECT_GT(usage["worker_seconds"].get<double>(), 0);
  EXPECT_GT(usage["bytes_in"].get<int64_t>(), 2 * 16 * 48 * 48);
  const std::string csv = server_.Cli({"admin", "usage", "--csv"}).out;
  EXPECT_EQ(csv.rfind("user,group,month,worker_seconds,tasks,bytes_in,bytes_out\r\nusers/", 0), 0U) << csv;
}

TEST_F(SharingTest, AnInteractiveJobDoesNotWaitForTheBatchBeforeIt) {
  Do({"admin", "pause"});
  const std::string batch = Submit({"--class", "batch"}), preview = Submit({"--class", "interactive"});
  Do({"admin", "resume"});
  Do({"watch", preview});
  Do({"watch", batch});
  const auto ended = [&](const std::string& name) { return Job(name)["end_time"].get<std::string>(); };
  EXPECT_LT(ended(preview), ended(batch));
  EXPECT_EQ(Job(batch)["spec"]["job_class"], "BATCH");
}

TEST_F(SharingTest, APreviewOfARegionJumpsAhead) {
  Do({"admin", "pause"});
  const std::string whole = Submit(), preview = Submit({"--region", "4:12,8:24,8:24"}, "8,16,16");
  Do({"admin", "resume"});
  Do({"watch", preview});
  Do({"watch", whole});
  EXPECT_LT(Job(preview)["end_time"].get<std::string>(), Job(whole)["end_time"].get<std::string>());
  EXPECT_EQ(Job(preview)["spec"]["job_class"], "INTERACTIVE");
  EXPECT_EQ(Job(whole)["spec"]["job_class"], "NORMAL");
}

}  // namespace
}  // namespace deconvoy::testing
