// Random `kill -9` of server and workers while clients submit jobs: no lost job, no wrong voxel, no stuck task.
//
// Bounded by $DECONVOY_KILLS (default 20); the seed is printed and settable.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
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

  // Not so where any voxel is NaN.
  bool AsExpected(const std::vector<double>& voxels) const {
    return !voxels.empty() && voxels.size() == expected_.size() && RelativeL2(voxels, expected_) <= 1e-6;
  }

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
      if (!image.ok() || !AsExpected(image->voxels)) problem_ = "a wrong result";
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

// Whether the server says that the worker process `pid` holds a task.
bool IsBusy(const ServerProcess& server, pid_t pid) {
  std::istringstream workers(server.Cli({"workers", "--json"}).out);
  for (std::string line; std::getline(workers, line);) {
    const auto worker = nlohmann::json::parse(line, nullptr, false);
    if (worker.is_discarded() || worker.value("state", "") != "BUSY") continue;
    if (worker["registration"].value("process_id", 0) == pid) return true;
  }
  return false;
}

struct Kill {
  bool done = false;
  bool busy = false;  // it hit a worker that held a task
};

// Kills one of the workers that live, if any, and with `only_busy` if it holds a task. It stands still while the server
// is asked, so that it cannot finish its task before its end.
Kill TryToKillAWorker(const ServerProcess& server, bool only_busy, std::mt19937_64& random) {
  std::vector<pid_t> workers;
  for (const pid_t pid : ProcessesNaming(server.address())) {
    if (ReadText("/proc/" + std::to_string(pid) + "/comm").starts_with("deconvoy-worker")) workers.push_back(pid);
  }
  if (workers.empty()) return {};
  const pid_t pid = workers[random() % workers.size()];
  if (kill(pid, SIGSTOP) != 0) return {};
  const bool busy = IsBusy(server, pid);
  const bool wanted = busy || !only_busy;
  const bool delivered = kill(pid, wanted ? SIGKILL : SIGCONT) == 0;
  return {wanted && delivered, busy};
}

// Waits for a worker that can be killed.
Kill KillAWorker(const ServerProcess& server, bool only_busy, std::mt19937_64& random) {
  Kill last;
  Eventually([&] { return (last = TryToKillAWorker(server, only_busy, random)).done; }, std::chrono::seconds(60));
  return last;
}

struct Counts {
  int servers = 0;
  int workers = 0;
  int busy_workers = 0;
};

// The first kill and every second one, where it is a worker's, wait for one that is busy.
void KillAtRandom(ServerProcess& server, Counts& counts) {
  std::mt19937_64 random(Seed());
  for (int i = 0; i < Kills(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1500));
    if (i == 0 || random() % 2 == 0) {
      const Kill hit = KillAWorker(server, i % 2 == 0, random);
      ASSERT_TRUE(hit.done) << "no worker to kill: " << server.Log();
      ++counts.workers;
      counts.busy_workers += hit.busy ? 1 : 0;
    } else {
      ASSERT_TRUE(server.process().Running()) << "ended by itself: " << server.Log();
      server.Kill();
      ++counts.servers;
      ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
    }
  }
}

TEST(RandomKillsTest, NothingIsLostAndNothingIsWrong) {
  TemporaryFolder folder;
  Simulate(folder.path(), "24,64,64", 9);
  ServerProcess server(folder.path(), 2);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Client>(folder.path(), i, server.address()));
  ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
  for (auto& client : clients) client->Start();
  Counts counts;
  KillAtRandom(server, counts);
  int done = 0;
  for (auto& client : clients) {
    client->Stop();
    EXPECT_TRUE(client->problem().empty()) << client->problem();
    done += client->done();
  }
  EXPECT_GE(done, kClients);
  EXPECT_EQ(counts.servers + counts.workers, Kills());
  EXPECT_GE(counts.busy_workers, 1);
  std::printf("%d kills of the server, %d of workers (%d of them busy), %d jobs finished with the right result\n",
              counts.servers, counts.workers, counts.busy_workers, done);
}

}  // namespace
}  // namespace deconvoy::testing
