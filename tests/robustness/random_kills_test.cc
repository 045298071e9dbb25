// Random `kill -9` of server and workers while clients submit jobs: no lost job, no wrong voxel, no stuck task.
//
// Bounded by $DECONVOY_KILLS (default 20); the seed is printed and settable.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kClients = 3;

int Kills() {
  const char* text = std::getenv("DECONVOY_KILLS");
  return text != nullptr ? std::atoi(text) : 20;
}

std::vector<std::string> RunArguments(const fs::path& folder, int client, const std::string& output) {
  return {"run",          (folder / "raw.ome.tif").string(),
          "--psf",        (folder / "psf.ome.tif").string(),
          "--background", "5",
          "--tile",       "12,32,32",
          "--iterations", std::to_string(15 + 5 * client),
          "-o",           (folder / output).string()};
}

// What one client does until told to stop: run its job over and over, and check every result.
class Client {
 public:
  Client(fs::path folder, int number, std::string address)
      : folder_(std::move(folder)), number_(number), address_(std::move(address)) {
    std::vector<std::string> arguments = RunArguments(folder_, number_, Name("calm"));
    arguments.push_back("--local");
    const CliResult calm = RunCli(arguments, folder_);
    EXPECT_EQ(calm.exit.code, 0) << calm.err;
    const auto image = LoadImage(folder_ / Name("calm"));
    EXPECT_OK(image);
    if (image.ok()) expected_ = image->voxels;
  }

  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) { Work(stop); });
  }
  void Stop() { thread_.request_stop(), thread_.join(); }
  int done() const { return done_; }
  const std::string& problem() const { return problem_; }

 private:
  std::string Name(const std::string& stem) const { return stem + std::to_string(number_) + ".tif"; }

  void Work(const std::stop_token& stop) {
    while (!stop.stop_requested() && problem_.empty()) {
      std::vector<std::string> arguments = RunArguments(folder_, number_, Name("disturbed"));
      arguments.insert(arguments.end(), {"--server", address_});
      const CliResult result = RunCli(arguments, folder_);
      if (result.exit.code != 0) {
        problem_ = "exit " + std::to_string(result.exit.code) + ": " + result.err;
        return;
      }
      const auto image = LoadImage(folder_ / Name("disturbed"));
      if (!image.ok() || RelativeL2(image->voxels, expected_) > 1e-6) problem_ = "a wrong result";
      ++done_;
    }
  }

  const fs::path folder_;
  const int number_;
  const std::string address_;
  std::vector<double> expected_;
  int done_ = 0;
  std::string problem_;
  std::jthread thread_;
};

void KillAWorker(const ServerProcess& server, std::mt19937_64& random) {
  std::vector<pid_t> workers;
  for (const pid_t pid : ProcessesNaming(server.address())) {
    if (ReadText("/proc/" + std::to_string(pid) + "/comm").starts_with("deconvoy-worker")) workers.push_back(pid);
  }
  if (!workers.empty()) kill(workers[random() % workers.size()], SIGKILL);
}

TEST(RandomKillsTest, NothingIsLostAndNothingIsWrong) {
  TemporaryFolder folder;
  Simulate(folder.path(), "24,64,64", 9);
  ServerProcess server(folder.path(), 2);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Client>(folder.path(), i, server.address()));
  ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
  for (auto& client : clients) client->Start();
  std::mt19937_64 random(Seed());
  for (int kills = 0; kills < Kills(); ++kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1500));
    if (random() % 2 == 0) {
      KillAWorker(server, random);
    } else {
      server.Kill();
      ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
    }
  }
  int done = 0;
  for (auto& client : clients) {
    client->Stop();
    EXPECT_TRUE(client->problem().empty()) << client->problem();
    done += client->done();
  }
  EXPECT_GE(done, kClients);
  std::printf("%d kills, %d jobs finished with the right result\n", Kills(), done);
}

}  // namespace
}  // namespace deconvoy::testing
