// One server, several workers and clients at once, streaming workers, big volumes.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// A specimen of its own for each number, written to `folder`.
void Simulate(const fs::path& folder, int number, const std::string& shape) {
  fs::create_directories(folder);
  const CliResult made =
      RunCli({"simulate", "-o", folder.string(), "--shape", shape, "--seed", std::to_string(number), "--photons", "200",
              "--voxel-um", "0.2,0.1,0.1", "--psf-fwhm-um", "0.6,0.25,0.25", "--background", "5", "--local"},
             folder);
  ASSERT_EQ(made.exit.code, 0) << made.err;
}

std::vector<std::string> RunArguments(const fs::path& folder, const std::string& output, int iterations) {
  return {"run",          (folder / "raw.ome.tif").string(),
          "--psf",        (folder / "psf.ome.tif").string(),
          "--background", "5",
          "--tile",       "16,48,48",
          "--iterations", std::to_string(iterations),
          "-o",           (folder / output).string()};
}

// Progress lines in a client's JSON output never go back, end at 1 and count its own iterations only.
void ExpectOwnProgress(const std::string& lines, int iterations) {
  double last = 0;
  bool seen = false;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.contains("fraction")) continue;
    seen = true;
    const double fraction = json["fraction"].get<double>();
    EXPECT_GE(fraction, last - 1e-9) << line;
    last = std::max(last, fraction);
    const int total = json.value("iterations_total", 0);
    EXPECT_TRUE(total == 0 || total == iterations) << line;
  }
  EXPECT_TRUE(seen) << lines;
}

TEST(ServiceTest, FourClientsTwoWorkersEachItsOwnResultAndProgress) {
  TemporaryFolder folder;
  ServerProcess server(folder.path(), 2);
  ASSERT_TRUE(server.Start()) << server.Log();
  constexpr int kClients = 4;
  std::vector<CliResult> alone(kClients), together(kClients);
  for (int i = 0; i < kClients; ++i) {
    const fs::path own = folder.path() / std::to_string(i);
    Simulate(own, i + 1, "32,96,80");
    std::vector<std::string> arguments = RunArguments(own, "alone.tif", 10 + i);
    alone[static_cast<size_t>(i)] = server.Cli(arguments);
    ASSERT_EQ(alone[static_cast<size_t>(i)].exit.code, 0) << alone[static_cast<size_t>(i)].err;
  }
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i)
    clients.emplace_back([&, i] {
      const fs::path own = folder.path() / std::to_string(i);
      std::vector<std::string> arguments = RunArguments(own, "together.tif", 10 + i);
      arguments.insert(arguments.end(), {"--json", "--server", server.address()});
      together[static_cast<size_t>(i)] = RunCli(arguments, own);
    });
  for (std::thread& client : clients) client.join();
  for (int i = 0; i < kClients; ++i) {
    SCOPED_TRACE(i);
    const CliResult& result = together[static_cast<size_t>(i)];
    ASSERT_EQ(result.exit.code, 0) << result.err << server.Log();
    const fs::path own = folder.path() / std::to_string(i);
    ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(own / "alone.tif"));
    ASSERT_OK_AND_ASSIGN(const Image got, LoadImage(own / "together.tif"));
    EXPECT_LE(RelativeL2(got.voxels, expected.voxels), 1e-6);
    ExpectOwnProgress(result.out, 10 + i);
  }
}

TEST(ServiceTest, AWorkerThatDoesNotSeeTheSpoolStreams) {
  TemporaryFolder folder;
  Simulate(folder.path(), 1, "16,64,64");
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  auto worker = server.StartWorker("here", true);
  ASSERT_EQ(server.Cli(RunArguments(folder.path(), "direct.tif", 10)).exit.code, 0) << worker->Errors();
  worker->Kill();
  worker = server.StartWorker("elsewhere", false);
  const CliResult result = server.Cli(RunArguments(folder.path(), "streamed.tif", 10));
  ASSERT_EQ(result.exit.code, 0) << result.err << worker->Errors();
  ASSERT_OK_AND_ASSIGN(const Image direct, LoadImage(folder.path() / "direct.tif"));
  ASSERT_OK_AND_ASSIGN(const Image streamed, LoadImage(folder.path() / "streamed.tif"));
  EXPECT_LE(RelativeL2(streamed.voxels, direct.voxels), 1e-6);
}

TEST(ServiceTest, TimePointsMayStartFromTheOneBefore) {
  TemporaryFolder folder;
  v1::VolumeSpec spec = MakeSpec({3, 2, 8, 32, 32}, v1::U16);
  std::vector<double> voxels(static_cast<size_t>(3 * 2 * 8 * 32 * 32), 10);
  for (size_t i = 0; i < voxels.size(); i += 97) voxels[i] = 200;
  ASSERT_OK(SaveImage(folder.path() / "series.ome.tif", spec, voxels));
  ASSERT_OK(SaveImage(folder.path() / "psf.ome.tif", MakeSpec({1, 1, 5, 7, 7}, v1::F32),
                      GaussianPsf({5, 7, 7}, 1, 1.2, 1.2)));
  const auto run = [&](const std::string& initial, const std::string& output) {
    const CliResult result =
        RunCli({"run", (folder.path() / "series.ome.tif").string(), "--psf", (folder.path() / "psf.ome.tif").string(),
                "--iterations", "5", "--set", "initial=" + initial, "--background", "0", "--local", "-o",
                (folder.path() / output).string()},
               folder.path());
    EXPECT_EQ(result.exit.code, 0) << result.err;
    return LoadImage(folder.path() / output);
  };
  ASSERT_OK_AND_ASSIGN(const Image mean, run("mean", "mean.ome.tif"));
  ASSERT_OK_AND_ASSIGN(const Image previous, run("previous", "previous.ome.tif"));
  const size_t frames = static_cast<size_t>(2 * 8 * 32 * 32);
  const std::vector<double> first_mean(mean.voxels.begin(), mean.voxels.begin() + frames);
  const std::vector<double> first_previous(previous.voxels.begin(), previous.voxels.begin() + frames);
  EXPECT_LE(RelativeL2(first_previous, first_mean), 1e-6) << "the first time point starts from the mean either way";
  const std::vector<double> last_mean(mean.voxels.end() - static_cast<long>(frames), mean.voxels.end());
  const std::vector<double> last_previous(previous.voxels.end() - static_cast<long>(frames), previous.voxels.end());
  EXPECT_GT(RelativeL2(last_previous, last_mean), 1e-4) << "later ones start from the one before";
}

// Counts in, counts out: the light of beads on a periodic grid is kept, and u16 clipping is counted.
TEST(ServiceTest, ScaleIsThatOfTheInputAndClippingIsCounted) {
  TemporaryFolder folder;
  const CliResult made = RunCli({"simulate",
                                 "-o",
                                 folder.path().string(),
                                 "--shape",
                                 "24,64,64",
                                 "--kind",
                                 "beads",
                                 "--seed",
                                 "2",
                                 "--photons",
                                 "30000",
                                 "--voxel-um",
                                 "0.2,0.1,0.1",
                                 "--psf-fwhm-um",
                                 "0.7,0.3,0.3",
                                 "--background",
                                 "0",
                                 "--offset",
                                 "100",
                                 "--gain",
                                 "0.5",
                                 "--periodic",
                                 "--local"},
                                folder.path());
  ASSERT_EQ(made.exit.code, 0) << made.err;
  const auto run = [&](const std::string& type) {
    return RunCli({"run",          (folder.path() / "raw.ome.tif").string(),
                   "--psf",        (folder.path() / "psf.ome.tif").string(),
                   "--boundary",   "periodic",
                   "--offset",     "100",
                   "--gain",       "0.5",
                   "--background", "0",
                   "--iterations", "30",
                   "--dtype",      type,
                   "--local",      "--json",
                   "-o",           (folder.path() / (type + ".tif")).string()},
                  folder.path());
  };
  ASSERT_EQ(run("f32").exit.code, 0);
  ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(folder.path() / "raw.ome.tif"));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(folder.path() / "f32.tif"));
  double light = 0;
  for (const double count : raw.voxels) light += count - 100;
  EXPECT_NEAR(Sum(result.voxels) / light, 1.0, 0.01);
  const CliResult clipped = run("u16");
  ASSERT_EQ(clipped.exit.code, 0) << clipped.err;
  ASSERT_OK_AND_ASSIGN(const Image whole, LoadImage(folder.path() / "u16.tif"));
  const auto above = std::count_if(result.voxels.begin(), result.voxels.end(), [](double v) { return v >= 65535.5; });
  ASSERT_GT(above, 0) << "the specimen is meant to overflow 16 bits";
  EXPECT_NE(clipped.out.find("\"clipped_voxels\":" + std::to_string(above)), std::string::npos) << clipped.out;
}

}  // namespace
}  // namespace deconvoy::testing
