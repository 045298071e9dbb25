// Random `kill -9` of server and workers under load: no acknowledged chunk, job or tile lost, no wrong voxel, no stuck
// task.
//
// Traffic: eight clients, of which six run jobs and two upload. Faults: $DECONVOY_KILLS kills (default 200), all of
// them within $DECONVOY_KILL_MINUTES (default 12; ten times that with sanitizers), else the test fails; the seed is
// printed and settable. Model: each client knows its result, and what it was told is durable; no job has fewer tasks
// done after a restart than before. Validator: `deconvoyd --check` at the end. Report: a line of JSON.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "client/cpp/client.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kJobClients = 6;
constexpr int kUploadClients = 2;
constexpr std::chrono::seconds kJobLimit{900};

int Setting(const char* name, int usual) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : usual;
}

int Kills() {
  return Setting("DECONVOY_KILLS", 200);
}

std::chrono::minutes KillMinutes() {
  return std::chrono::minutes(Setting("DECONVOY_KILL_MINUTES", 12)) * (Sanitized() ? 10 : 1);
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
      const CliResult result = RunCli(arguments, folder_, {}, kJobLimit);
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

// Uploads volumes of many commits, over and over, and reads each back.
class Uploader {
 public:
  Uploader(int number, std::string address) : number_(number), address_(std::move(address)) {}

  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) {
      while (!stop.stop_requested() && problem_.empty()) Work();
    });
  }
  void Stop() { thread_.request_stop(), thread_.join(); }
  int done() const { return done_; }
  const std::string& problem() const { return problem_; }

 private:
  static constexpr int64_t kPlanes = 32, kEdge = 512, kPlaneBytes = kEdge * kEdge * 2;

  std::byte Shade(int64_t z) const { return static_cast<std::byte>(z + 7 * number_ + 31 * done_ + 1); }

  void Work() {
    client::ConnectOptions options;
    options.connect_timeout = absl::Minutes(1);
    const auto client = client::Client::Connect(address_, options);
    if (!client.ok()) return Fail("connecting", client.status());
    // One chunk each, in order: what is acknowledged is a run of planes from the first one on, before and after a
    // break.
    int64_t acknowledged = 0, sent_again = -1;
    const auto volume = client->Upload(
        MakeSpec({1, 1, kPlanes, kEdge, kEdge}, v1::U16),
        [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
          if (z * kPlaneBytes < acknowledged) sent_again = z;
          std::fill(plane.begin(), plane.end(), Shade(z));
          return absl::OkStatus();
        },
        [&](const client::TransferProgress& progress) { acknowledged = std::max(acknowledged, progress.bytes_done); });
    if (!volume.ok()) return Fail("uploading", volume.status());
    if (sent_again >= 0)
      problem_ = "plane " + std::to_string(sent_again) + " was acknowledged and had to be sent again";
    int64_t right = 0;
    const absl::Status read =
        client->Download(*volume, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
          right += std::all_of(plane.begin(), plane.end(), [&](std::byte value) { return value == Shade(z); }) ? 1 : 0;
          return absl::OkStatus();
        });
    if (!read.ok()) return Fail("reading", read);
    if (right < kPlanes) problem_ = "wrong voxels in an upload";
    client->DeleteVolume(*volume).IgnoreError();
    ++done_;
  }
  void Fail(const std::string& doing, const absl::Status& status) { problem_ = doing + ": " + status.ToString(); }

  const int number_;
  const std::string address_;
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

// Of each job that has not ended, how many of its tasks are done.
std::map<std::string, int> TasksDone(const ServerProcess& server) {
  std::map<std::string, int> done;
  const CliResult listed = server.Cli({"jobs", "--json"});
  EXPECT_EQ(listed.exit.code, 0) << listed.err << server.Log();
  std::istringstream jobs(listed.out);
  for (std::string line; std::getline(jobs, line);) {
    const auto job = nlohmann::json::parse(line, nullptr, false);
    if (job.is_discarded() || !job.contains("progress")) continue;
    done[job.value("name", "")] = job["progress"].value("tasks_done", 0);
  }
  return done;
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
  int tasks_kept = 0;  // done before a kill of the server, and after it, in jobs that had not ended

  int kills() const { return servers + workers; }
};

// A task that was done stays so, and is not computed again. Jobs that end meanwhile are for their clients to compare.
void KillTheServer(ServerProcess& server, Counts& counts) {
  ASSERT_TRUE(server.process().Running()) << "ended by itself: " << server.Log();
  const std::map<std::string, int> before = TasksDone(server);
  server.Kill();
  ++counts.servers;
  ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
  for (const auto& [job, done] : TasksDone(server)) {
    const auto earlier = before.find(job);
    if (earlier == before.end()) continue;
    EXPECT_GE(done, earlier->second) << job << ": tasks that were done are not any more";
    counts.tasks_kept += earlier->second;
  }
}

// The first kill and every second one, where it is a worker's, wait for one that is busy.
void KillAtRandom(ServerProcess& server, Counts& counts) {
  std::mt19937_64 random(Seed());
  const auto end = std::chrono::steady_clock::now() + KillMinutes();
  for (int i = 0; i < Kills(); ++i) {
    if (std::chrono::steady_clock::now() >= end) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1500));
    if (i == 0 || random() % 2 == 0) {
      const Kill hit = KillAWorker(server, i % 2 == 0, random);
      ASSERT_TRUE(hit.done) << "no worker to kill: " << server.Log();
      ++counts.workers;
      counts.busy_workers += hit.busy ? 1 : 0;
    } else {
      ASSERT_NO_FATAL_FAILURE(KillTheServer(server, counts));
    }
  }
}

// Stops what the client does, and returns how often it was done.
template <typename SomeClient>
int Finish(SomeClient& client) {
  client.Stop();
  EXPECT_TRUE(client.problem().empty()) << client.problem();
  return client.done();
}

TEST(RandomKillsTest, NothingIsLostAndNothingIsWrong) {
  TemporaryFolder folder;
  Simulate(folder.path(), "24,64,64", 9);
  ServerProcess server(folder.path(), 2);
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::unique_ptr<Uploader>> uploaders;
  for (int i = 0; i < kJobClients; ++i) clients.push_back(std::make_unique<Client>(folder.path(), i, server.address()));
  for (int i = 0; i < kUploadClients; ++i) uploaders.push_back(std::make_unique<Uploader>(i, server.address()));
  ASSERT_TRUE(server.Start({}, {"--attempts", "100"})) << server.Log();
  for (auto& client : clients) client->Start();
  for (auto& uploader : uploaders) uploader->Start();
  Counts counts;
  KillAtRandom(server, counts);
  int jobs = 0, uploads = 0;
  for (auto& client : clients) jobs += Finish(*client);
  for (auto& uploader : uploaders) uploads += Finish(*uploader);
  std::printf("kills: %d wanted, %d done\n", Kills(), counts.kills());
  EXPECT_GE(jobs, kJobClients);
  EXPECT_GE(uploads, kUploadClients);
  EXPECT_EQ(counts.kills(), Kills()) << "so many kills in " << KillMinutes().count() << " minutes";
  EXPECT_GE(counts.busy_workers, 1);
  EXPECT_TRUE(counts.servers == 0 || counts.tasks_kept > 0) << "no job had a task done when its server was killed";

  // Every client has got what it asked for, so that nothing is left to be done.
  EXPECT_EQ(server.Cli({"jobs", "--json"}).out.find("jobs/"), std::string::npos) << "a job is stuck";
  ASSERT_TRUE(server.Stop().has_value()) << server.Log();
  Process check("deconvoyd", {"--state", server.state().string(), "--check", "--json"}, {{}, folder.path(), "check"});
  const auto checked = check.Wait(std::chrono::seconds(120));
  ASSERT_TRUE(checked.has_value());
  EXPECT_EQ(checked->code, 0) << check.Output() << check.Errors();

  nlohmann::json report = {{"seed", Seed()},
                           {"kills_wanted", Kills()},
                           {"kills", counts.kills()},
                           {"kills_of_the_server", counts.servers},
                           {"kills_of_busy_workers", counts.busy_workers},
                           {"tasks_kept", counts.tasks_kept},
                           {"jobs", jobs},
                           {"uploads", uploads}};
  report["check"] = nlohmann::json::parse(check.Output(), nullptr, false);
  std::printf("%s\n", report.dump().c_str());
}

}  // namespace
}  // namespace deconvoy::testing
