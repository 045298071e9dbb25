// A server that vanishes under its clients: they say so, and Ctrl-C still ends them soon.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

// A `run` and a `watch` of its job, which would take minutes.
class AwayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(SaveImage(folder_.path() / "raw.tif", MakeSpec({1, 1, 24, 96, 96}, v1::U16),
                        std::vector<double>(24 * 96 * 96, 100)));
    ASSERT_OK(
        SaveImage(folder_.path() / "psf.tif", MakeSpec({1, 1, 7, 9, 9}, v1::F32), GaussianPsf({7, 9, 9}, 1.5, 2, 2)));
    ASSERT_TRUE(server_.Start()) << server_.Log();
    run_ = Client(
        "run", {"run", (folder_.path() / "raw.tif").string(), "--psf", (folder_.path() / "psf.tif").string(),
                "--iterations", "10000", "--background", "0", "--keep", "-o", (folder_.path() / "out.tif").string()});
    const std::string jobs = server_.Cli({"jobs", "--json"}).out;
    const size_t begin = jobs.find("jobs/");
    ASSERT_NE(begin, std::string::npos) << jobs;
    job_ = jobs.substr(begin, jobs.find_first_of("\" \n", begin) - begin);
    watch_ = Client("watch", {"watch", job_});
  }

  // One that has heard of the job's progress.
  std::unique_ptr<Process> Client(const std::string& label, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--server", server_.address()});
    auto client = std::make_unique<Process>("deconvoy", arguments, Process::Options{{}, folder_.path(), label});
    EXPECT_TRUE(Eventually([&] { return client->Output().find("\"iteration\":") != std::string::npos; }))
        << client->Output() << client->Errors();
    return client;
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  std::unique_ptr<Process> run_, watch_;
  std::string job_;
};

TEST_F(AwayTest, ClientsSayThatTheServerIsAwayAndLeaveSoonAfterCtrlC) {
  server_.Kill();
  for (const Process* client : {run_.get(), watch_.get()}) {
    EXPECT_TRUE(Eventually([&] { return client->Output().find("\"phase\":\"reconnect\"") != std::string::npos; }))
        << client->Output();
    EXPECT_NE(client->Output().find("cannot be reached"), std::string::npos) << client->Output();
    EXPECT_EQ(client->Output().find("last error"), std::string::npos) << "gRPC's own words: " << client->Output();
  }
  watch_->Signal(SIGINT);
  const auto watched = watch_->Wait(std::chrono::seconds(10));
  ASSERT_TRUE(watched.has_value()) << "still watching";
  EXPECT_EQ(watched->code, 6);
  run_->Signal(SIGINT);
  const auto ran = run_->Wait(std::chrono::seconds(10));
  ASSERT_TRUE(ran.has_value()) << "still waiting for the server";
  EXPECT_EQ(ran->code, 6) << run_->Errors();
  EXPECT_NE(run_->Errors().find("goes on"), std::string::npos) << run_->Errors();
  EXPECT_NE(run_->Errors().find("deconvoy cancel " + job_ + " --server " + server_.address()), std::string::npos)
      << run_->Errors();
}

TEST_F(AwayTest, ClientsGoOnWhenTheServerIsBackAndHearOfACancellation) {
  server_.Kill();
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const CliResult cancelled = server_.Cli({"cancel", job_});
  EXPECT_EQ(cancelled.exit.code, 0) << cancelled.err << run_->Output() << run_->Errors();
  for (Process* client : {run_.get(), watch_.get()}) {
    const auto exit = client->Wait(std::chrono::seconds(30));
    ASSERT_TRUE(exit.has_value()) << client->Output();
    EXPECT_EQ(exit->code, 6) << client->Errors();
    EXPECT_NE(client->Output().find("answers again"), std::string::npos) << client->Output();
    EXPECT_NE(client->Errors().find(job_ + " was cancelled on request"), std::string::npos) << client->Errors();
  }
}

}  // namespace
}  // namespace deconvoy::testing
