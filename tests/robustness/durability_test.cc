// `kill -9` of worker and server at named points: everything acknowledged is still there, and the result is the same.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// With --json every line is an object of its own; the last one is the verb's answer.
std::string LastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  const size_t start = text.rfind('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1);
}

// A noisy stack of 24x64x64, cut into eight tiles by the jobs here, and its PSF.
class DurabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const CliResult made =
        RunCli({"simulate", "-o", folder(), "--shape", "24,64,64", "--seed", "5", "--photons", "200", "--voxel-um",
                "0.2,0.1,0.1", "--psf-fwhm-um", "0.6,0.25,0.25", "--background", "5", "--local"},
               folder_.path());
    ASSERT_EQ(made.exit.code, 0) << made.err;
    expected_ = Undisturbed();
  }

  std::string folder() const { return folder_.path().string(); }
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  std::vector<std::string> JobOptions() const {
    return {file("raw.ome.tif"), "--psf", file("psf.ome.tif"), "--iterations", "60", "--background", "5", "--tile",
            "12,32,32"};
  }

  std::vector<double> Undisturbed() {
    fs::create_directories(folder_.path() / "calm");
    ServerProcess server(folder_.path() / "calm", 1);
    EXPECT_TRUE(server.Start()) << server.Log();
    std::vector<std::string> arguments = {"run", "-o", file("calm.tif")};
    for (const std::string& option : JobOptions()) arguments.push_back(option);
    const CliResult result = server.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << result.err;
    auto image = LoadImage(file("calm.tif"));
    return image.ok() ? image->voxels : std::vector<double>{};
  }

  // Submits the job and returns its name.
  std::string Submit(const ServerProcess& server) {
    std::vector<std::string> arguments = {"submit", "--json"};
    for (const std::string& option : JobOptions()) arguments.push_back(option);
    const CliResult result = server.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << result.err;
    const auto answer = nlohmann::json::parse(LastLine(result.out), nullptr, false);
    return answer.is_discarded() ? "" : answer["job"].value("name", "");
  }

  // Waits for the job, fetches its result and compares it with the undisturbed run's.
  void ExpectSameResult(const ServerProcess& server, const std::string& job) {
    const CliResult watched = server.Cli({"watch", job});
    ASSERT_EQ(watched.exit.code, 0) << watched.err << server.Log();
    const CliResult fetched = server.Cli({"fetch", job, "-o", file("disturbed.tif")});
    ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
    ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(file("disturbed.tif")));
    ASSERT_EQ(result.voxels.size(), expected_.size());
    EXPECT_LE(RelativeL2(result.voxels, expected_), 1e-6);
  }

  TemporaryFolder folder_;
  std::vector<double> expected_;
};

TEST_F(DurabilityTest, WorkerKilledAtEveryPointOfItsTasks) {
  for (const std::string point :
       {"worker-task-started:2", "worker-mid-iterations:3", "worker-before-delivery:3", "worker-after-delivery:2"}) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point.substr(0, point.find(':'));
    fs::create_directories(place);
    ServerProcess server(place, 0);
    ASSERT_TRUE(server.Start()) << server.Log();
    auto doomed = server.StartWorker("doomed", true, {{"DECONVOY_WORKER_CRASH_POINT", point}});
    ASSERT_TRUE(Eventually([&] {
      return server.Cli({"workers", "--json"}).out.find("process_id") != std::string::npos;
    }));
    const std::string job = Submit(server);
    ASSERT_FALSE(job.empty());
    const auto exit = doomed->Wait(std::chrono::seconds(60));
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->signal, SIGKILL);
    auto healthy = server.StartWorker("healthy");
    ExpectSameResult(server, job);
  }
}

TEST_F(DurabilityTest, ServerKilledBetweenDeliveryAndCommit) {
  for (const std::string point : {"deliver-before-transfer:1", "deliver-before-transfer:4", "deliver-before-commit:1",
                                  "deliver-before-commit:5", "deliver-after-commit:3", "deliver-after-commit:9"}) {
    SCOPED_TRACE(point);
    std::string name = point;
    name[name.find(':')] = '-';
    const fs::path place = folder_.path() / name;
    fs::create_directories(place);
    ServerProcess server(place, 0);
    ASSERT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point}})) << server.Log();
    auto worker = server.StartWorker("worker");
    ASSERT_TRUE(Eventually([&] {
      return server.Cli({"workers", "--json"}).out.find("process_id") != std::string::npos;
    }));
    const std::string job = Submit(server);
    ASSERT_FALSE(job.empty());
    const auto exit = server.process().Wait(std::chrono::seconds(60));
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->signal, SIGKILL);
    ASSERT_TRUE(server.Start()) << server.Log();
    ExpectSameResult(server, job);
  }
}

TEST_F(DurabilityTest, ServerKilledInTheMiddleOfAnUpload) {
  for (const std::string point : {"upload-before-sync:1", "upload-before-commit:1", "upload-after-commit:1"}) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point.substr(0, point.find(':'));
    fs::create_directories(place);
    ServerProcess server(place, 1);
    ASSERT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point}})) << server.Log();
    std::vector<std::string> arguments = {"run", "-o", file("resumed.tif"), "--server", server.address()};
    for (const std::string& option : JobOptions()) arguments.push_back(option);
    Process client("deconvoy", arguments, {{}, place, "client"});
    const auto exit = server.process().Wait(std::chrono::seconds(60));
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->signal, SIGKILL);
    // The same client goes on where the upload broke.
    ASSERT_TRUE(server.Start()) << server.Log();
    const auto ended = client.Wait(std::chrono::seconds(120));
    ASSERT_TRUE(ended.has_value()) << client.Errors();
    ASSERT_EQ(ended->code, 0) << client.Errors() << server.Log();
    ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(file("resumed.tif")));
    EXPECT_LE(RelativeL2(result.voxels, expected_), 1e-6);
  }
}

TEST_F(DurabilityTest, ServerKilledInTheMiddleOfAJobAndStoppedInOrder) {
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const std::string job = Submit(server);
  ASSERT_FALSE(job.empty());
  ASSERT_TRUE(Eventually([&] { return server.Cli({"job", job, "--json"}).out.find("RUNNING") != std::string::npos; }));
  server.Kill();
  ASSERT_TRUE(Eventually([&] { return ProcessesNaming(server.address()).empty(); })) << "workers outlive their server";
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto stopped = server.Stop();
  ASSERT_TRUE(stopped.has_value()) << "does not stop when asked: " << server.Log();
  EXPECT_EQ(stopped->code, 0) << server.Log();
  ASSERT_TRUE(server.Start()) << server.Log();
  ExpectSameResult(server, job);
}

}  // namespace
}  // namespace deconvoy::testing
