// `kill -9` of worker and server at named points: everything acknowledged is still there, and the result is the same.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <thread>

#include "client/cpp/client.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// Points of the server's process where it may end during an upload.
constexpr const char* kUploadPoints[] = {"upload-before-sync", "upload-before-commit", "upload-after-commit"};

// A noisy stack of 24x64x64, cut into eight tiles by the jobs here, and its PSF.
class DurabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path(), "24,64,64", 5);
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
    const auto answer = LastJson(result.out);
    return answer.is_discarded() ? "" : answer["job"].value("name", "");
  }

  // Waits for the job, fetches its result and compares it with the undisturbed run's.
  void ExpectSameResult(const ServerProcess& server, const std::string& job) {
    const CliResult watched = server.Cli({"watch", job});
    ASSERT_EQ(watched.exit.code, 0) << watched.err << server.Log();
    const CliResult fetched = server.Cli({"fetch", job, "-o", file("disturbed.tif")});
    ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
    ExpectSameBits(file("disturbed.tif"));
  }

  // All runs of a test take their transform plans from the same cache, and so compute the same.
  void ExpectSameBits(const std::string& result) {
    ASSERT_OK_AND_ASSIGN(const Image image, LoadImage(result));
    ASSERT_EQ(image.voxels.size(), expected_.size());
    EXPECT_TRUE(image.voxels == expected_) << "relative difference: " << RelativeL2(image.voxels, expected_);
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

// One task waits, one is computed, one is delivered.
TEST_F(DurabilityTest, WorkerKilledWithATaskInEachStage) {
  for (const bool same_host : {true, false}) {
    SCOPED_TRACE(same_host);
    const fs::path place = folder_.path() / (same_host ? "spool" : "stream");
    fs::create_directories(place);
    ServerProcess server(place, 0);
    ASSERT_TRUE(server.Start()) << server.Log();
    auto doomed = server.StartWorker("doomed", same_host, {{"DECONVOY_WORKER_CRASH_POINT", "worker-three-tasks"}});
    ASSERT_TRUE(Eventually([&] {
      return server.Cli({"workers", "--json"}).out.find("process_id") != std::string::npos;
    }));
    const std::string job = Submit(server);
    ASSERT_FALSE(job.empty());
    const auto exit = doomed->Wait(std::chrono::seconds(60));
    ASSERT_TRUE(exit.has_value()) << doomed->Errors();
    EXPECT_EQ(exit->signal, SIGKILL);
    auto healthy = server.StartWorker("healthy", same_host);
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
    EXPECT_TRUE(Eventually([&] {
      return server.Cli({"workers", "--json"}).out.find("\"same_host\":true") != std::string::npos;
    })) << "the worker does not use the spool directly: "
        << worker->Errors();
  }
}

// The first commit is that of the PSF, the second that of the image: each is small enough for one.
TEST_F(DurabilityTest, ServerKilledInAnUploadOfARun) {
  for (const std::string point : kUploadPoints) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point;
    fs::create_directories(place);
    ServerProcess server(place, 1);
    ASSERT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point + ":2"}})) << server.Log();
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
    ExpectSameBits(file("resumed.tif"));
  }
}

// A volume of many commits, whose planes are as large as chunks, and which of them were asked for again.
class ManyCommits {
 public:
  static constexpr int64_t kPlanes = 64, kPlaneVoxels = 512, kPlaneBytes = kPlaneVoxels * kPlaneVoxels * 2;

  absl::Status Read(int64_t z, std::span<std::byte> plane) {
    if (z <= highest_) first_again_ = std::min(first_again_, z);
    highest_ = std::max(highest_, z);
    std::fill(plane.begin(), plane.end(), static_cast<std::byte>(z + 1));
    return absl::OkStatus();
  }
  // kPlanes when none was.
  int64_t first_again() const { return first_again_; }
  static v1::VolumeSpec Spec() { return MakeSpec({1, 1, kPlanes, kPlaneVoxels, kPlaneVoxels}, v1::U16); }

 private:
  int64_t highest_ = -1;
  int64_t first_again_ = kPlanes;
};

// How many planes of `volume` are as sent.
int64_t RightPlanes(const client::Client& client, const std::string& volume) {
  int64_t right = 0;
  EXPECT_OK(client.Download(volume, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
    const auto same = [z](std::byte value) { return value == static_cast<std::byte>(z + 1); };
    right += std::all_of(plane.begin(), plane.end(), same) ? 1 : 0;
    return absl::OkStatus();
  }));
  return right;
}

TEST(UploadDurabilityTest, ServerKilledAtALaterCommitMissesOnlyWhatWasNotDurable) {
  for (const std::string point : kUploadPoints) {
    SCOPED_TRACE(point);
    const TemporaryFolder folder;
    ServerProcess server(folder.path(), 0);
    ASSERT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point + ":3"}})) << server.Log();
    ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
    ManyCommits planes;
    int64_t acknowledged = 0;  // bytes, before anything was sent again
    absl::StatusOr<std::string> volume;
    std::thread upload([&] {
      volume = client.Upload(
          ManyCommits::Spec(),
          [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) { return planes.Read(z, plane); },
          [&](const client::TransferProgress& progress) {
            if (planes.first_again() == ManyCommits::kPlanes) acknowledged = progress.bytes_done;
          });
    });
    const auto exit = server.process().Wait(std::chrono::seconds(60));
    const bool restarted = server.Start();
    upload.join();
    ASSERT_TRUE(restarted) << server.Log();
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->signal, SIGKILL);
    ASSERT_OK(volume);
    EXPECT_GT(acknowledged, 0) << "the server ended before its first commit was heard of";
    EXPECT_GE(planes.first_again() * ManyCommits::kPlaneBytes, acknowledged) << "what was durable was sent again";
    EXPECT_EQ(RightPlanes(client, *volume), ManyCommits::kPlanes);
  }
}

TEST_F(DurabilityTest, ServerKilledInTheMiddleOfAJobAndStoppedInOrder) {
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const std::string job = Submit(server);
  ASSERT_FALSE(job.empty());
  // The analysis and a tile.
  const auto shown = [&] { return LastJson(server.Cli({"job", job, "--json"}).out); };
  nlohmann::json before;
  ASSERT_TRUE(Eventually([&] {
    before = shown();
    return !before.is_discarded() && before["progress"].value("tasks_done", 0) >= 2;
  })) << before;
  ASSERT_EQ(before.value("state", ""), "RUNNING") << "nothing of the job is left to be done: " << before;
  server.Kill();
  ASSERT_TRUE(Eventually([&] { return ProcessesNaming(server.address()).empty(); })) << "workers outlive their server";
  ASSERT_TRUE(server.Start()) << server.Log();
  EXPECT_GE(shown()["progress"].value("tasks_done", 0), before["progress"].value("tasks_done", 0))
      << "finished tasks are lost";
  const auto stopped = server.Stop();
  ASSERT_TRUE(stopped.has_value()) << "does not stop when asked: " << server.Log();
  EXPECT_EQ(stopped->code, 0) << server.Log();
  ASSERT_TRUE(server.Start()) << server.Log();
  ExpectSameResult(server, job);
}

// A server of the library of PSFs, without workers, and a stack to keep there.
class LibraryDurabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(SaveImage(psf_, MakeSpec({1, 1, 3, 5, 5}, v1::F32), GaussianPsf({3, 5, 5}, 1, 1, 1)));
  }

  // Runs a verb with a server that dies at this point and comes back; returns its exit code.
  int Disturbed(ServerProcess& server, const fs::path& place, const std::string& point,
                const std::vector<std::string>& verb) {
    EXPECT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point}})) << server.Log();
    Process client("deconvoy", With(verb, {"--server", server.address()}), {{}, place, "client"});
    const auto exit = server.process().Wait(std::chrono::seconds(60));
    EXPECT_TRUE(exit.has_value() && exit->signal == SIGKILL) << point;
    EXPECT_TRUE(server.Start()) << server.Log();
    const auto ended = client.Wait(std::chrono::seconds(120));
    EXPECT_TRUE(ended.has_value()) << client.Errors();
    return ended ? ended->code : -1;
  }

  // Of all PSFs, or of all models.
  static size_t Versions(const ServerProcess& server, const std::string& library) {
    const std::string list = server.Cli({library, "list", "--json"}).out;
    return static_cast<size_t>(std::count(list.begin(), list.end(), '\n'));
  }

  static size_t Files(const ServerProcess& server) {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(server.state() / "spool/volumes"))
      count += entry.path().extension() == ".raw" ? 1 : 0;
    return count;
  }

  TemporaryFolder folder_;
  const std::string psf_ = (folder_.path() / "psf.ome.tif").string();
};

// The client repeats its request, which is answered as one.
TEST_F(LibraryDurabilityTest, ServerKilledWhileAPsfIsKept) {
  for (const std::string point : {"psf-before-insert", "psf-after-insert"}) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point;
    fs::create_directories(place);
    ServerProcess server(place, 0);
    EXPECT_EQ(Disturbed(server, place, point, {"psf", "add", "gfp", psf_, "--unchecked"}), 0);
    EXPECT_EQ(Versions(server, "psf"), 1U);
    EXPECT_EQ(Files(server), 1U);
    EXPECT_EQ(server.Cli({"psf", "show", "gfp@1"}).exit.code, 0);
  }
}

TEST_F(LibraryDurabilityTest, ServerKilledWhileAPsfIsRemoved) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_EQ(server.Cli({"psf", "add", "gfp", psf_, "--unchecked"}).exit.code, 0);
  ASSERT_TRUE(server.Stop().has_value());
  EXPECT_EQ(Disturbed(server, folder_.path(), "psf-delete-before-file", {"psf", "remove", "gfp@1"}), 3)
      << "the repetition finds that it has gone";
  EXPECT_EQ(Versions(server, "psf"), 0U);
  EXPECT_EQ(Files(server), 0U) << "the next start removes what was left";
  ASSERT_EQ(server.Cli({"psf", "add", "gfp", psf_, "--unchecked"}).exit.code, 0);
  EXPECT_EQ(server.Cli({"psf", "show", "gfp@2"}).exit.code, 0) << "its number is not used again";
}

// The same of models, whose files a worker checks. SKIPPED where it was built without LibTorch.
class ModelDurabilityTest : public LibraryDurabilityTest {
 protected:
  // Trains a model on a server of its own, and takes it out.
  void SetUp() override {
    const fs::path place = folder_.path() / "school";
    fs::create_directories(place);
    ServerProcess server(place, 1);
    ASSERT_TRUE(server.Start()) << server.Log();
    const std::string unavailable = LastJson(server.Cli({"methods", "network", "--json"}).out).value("unavailable", "");
    if (!unavailable.empty()) GTEST_SKIP() << "SKIPPED: " << unavailable;
    const std::vector<std::vector<std::string>> verbs = {
        {"psf", "generate", "-o", optics_, "--optics", "ri_immersion=1.333,emission_um=0.52,na=1.0", "--voxel-um",
         "0.2,0.1,0.1", "--shape", "9,11,11", "--keep", "gfp"},
        {"models", "train", "rln", "--network", "rln", "--psf", "psfs/gfp", "--steps", "4", "--parts", "2", "--patch",
         "16,16,16"},
        {"models", "export", "rln", "-o", model_}};
    for (const std::vector<std::string>& verb : verbs) {
      const CliResult result = server.Cli(verb);
      ASSERT_EQ(result.exit.code, 0) << verb[0] << " " << verb[1] << ": " << result.err << server.Log();
    }
  }

  const std::string optics_ = (folder_.path() / "optics.ome.tif").string();
  const std::string model_ = (folder_.path() / "rln.safetensors").string();
};

TEST_F(ModelDurabilityTest, ServerKilledWhileAModelIsKept) {
  for (const std::string point : {"model-before-insert", "model-after-insert"}) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point;
    fs::create_directories(place);
    ServerProcess server(place, 1);
    EXPECT_EQ(Disturbed(server, place, point, {"models", "import", "rln", model_}), 0);
    EXPECT_EQ(Versions(server, "models"), 1U);
    EXPECT_EQ(Files(server), 1U);
    EXPECT_EQ(server.Cli({"models", "show", "rln@1"}).exit.code, 0);
    EXPECT_EQ(server.Cli({"models", "show", "rln@2"}).exit.code, 3) << "it was kept twice";
  }
}

// The part that it was about to deliver is done by another worker, from the state of the part before.
TEST_F(ModelDurabilityTest, WorkerKilledInATraining) {
  const fs::path place = folder_.path() / "training";
  fs::create_directories(place);
  ServerProcess server(place, 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto train = [&](const std::string& name) {
    return server.Cli({"models", "train", name, "--network", "rln", "--psf", optics_, "--steps", "6", "--parts", "3",
                       "--patch", "16,16,16"});
  };
  auto calm = server.StartWorker("calm");
  const CliResult undisturbed = train("calm");
  ASSERT_EQ(undisturbed.exit.code, 0) << undisturbed.err << server.Log();
  calm.reset();
  auto doomed = server.StartWorker("doomed", true, {{"DECONVOY_WORKER_CRASH_POINT", "worker-before-delivery:2"}});
  CliResult disturbed;
  std::thread training([&] { disturbed = train("killed"); });
  const auto exit = doomed->Wait(std::chrono::seconds(120));
  auto healthy = server.StartWorker("healthy");
  training.join();
  ASSERT_TRUE(exit.has_value()) << doomed->Errors();
  EXPECT_EQ(exit->signal, SIGKILL);
  ASSERT_EQ(disturbed.exit.code, 0) << disturbed.err << server.Log();
  const auto facts = [&](const std::string& name) {
    return LastJson(server.Cli({"models", "show", name, "--json"}).out)["facts"];
  };
  EXPECT_EQ(facts("killed")["digest"], facts("calm")["digest"]) << "the same weights, curves and quality";
  EXPECT_EQ(facts("killed")["training"]["points"].size(), 3U);
}

TEST_F(ModelDurabilityTest, ServerKilledWhileAModelIsRemoved) {
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_EQ(server.Cli({"models", "import", "rln", model_}).exit.code, 0);
  ASSERT_TRUE(server.Stop().has_value());
  EXPECT_EQ(Disturbed(server, folder_.path(), "model-delete-before-file", {"models", "delete", "rln@1"}), 3)
      << "the repetition finds that it has gone";
  EXPECT_EQ(Versions(server, "models"), 0U);
  EXPECT_EQ(Files(server), 0U) << "the next start removes what was left";
  ASSERT_EQ(server.Cli({"models", "import", "rln", model_}).exit.code, 0);
  EXPECT_EQ(server.Cli({"models", "show", "rln@2"}).exit.code, 0) << "its number is not used again";
}

}  // namespace
}  // namespace deconvoy::testing
