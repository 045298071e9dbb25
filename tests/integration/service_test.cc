// One server, several workers and clients at once; streaming workers; time points; channels; the scale of results.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
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

std::vector<std::string> RunArguments(const fs::path& folder, const std::string& output, int iterations,
                                      const std::string& tile = "16,48,48") {
  return {"run",          (folder / "raw.ome.tif").string(),
          "--psf",        (folder / "psf.ome.tif").string(),
          "--background", "5",
          "--tile",       tile,
          "--iterations", std::to_string(iterations),
          "-o",           (folder / output).string()};
}

// A client and its job on a specimen of 32x96x80; each job can be told by its numbers.
struct OneClient {
  std::string tile;
  int tiles;
  int iterations;
  fs::path folder;
  CliResult result;
};

constexpr int kPlanes = 32;

// Progress lines in the client's JSON output never go back and count its own iterations (of its analysis, planes) and
// tasks only (its tiles and their analysis), and the job ends whole.
void ExpectOwnProgress(const OneClient& client) {
  double last = 0;
  int told = 0;
  std::istringstream in(client.result.out);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.contains("fraction")) continue;
    ++told;
    const double fraction = json["fraction"].get<double>();
    EXPECT_GE(fraction, last - 1e-9) << line;
    last = std::max(last, fraction);
    const int total = json.value("iterations_total", 0);
    EXPECT_TRUE(total == 0 || total == (json.value("activity", "") == "analyse" ? kPlanes : client.iterations)) << line;
    EXPECT_LE(json.value("iteration", 0), total) << line;
    EXPECT_EQ(json.value("tasks_total", 0), client.tiles + 1) << line;
    EXPECT_LE(json.value("tasks_done", 0), client.tiles + 1) << line;
  }
  EXPECT_GT(told, 0) << client.result.out;
  const auto ended = LastJson(client.result.out)["job"]["progress"];
  EXPECT_EQ(ended["fraction"], 1.0) << client.result.out;
  EXPECT_EQ(ended["tasks_done"], client.tiles + 1) << client.result.out;
}

// Tasks that each worker of the server has done so far, by the worker's name.
std::map<std::string, int> TasksDone(const ServerProcess& server) {
  std::map<std::string, int> done;
  std::istringstream workers(server.Cli({"workers", "--json"}).out);
  for (std::string line; std::getline(workers, line);) {
    const auto worker = nlohmann::json::parse(line, nullptr, false);
    if (!worker.is_discarded()) done[worker.value("name", "")] = worker.value("tasks_done", 0);
  }
  return done;
}

TEST(ServiceTest, FourClientsTwoWorkersEachItsOwnResultAndProgress) {
  TemporaryFolder folder;
  ServerProcess server(folder.path(), 2);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_TRUE(Eventually([&] { return TasksDone(server).size() == 2; })) << server.Log();
  std::vector<OneClient> clients = {
      {"16,48,48", 8, 10, {}, {}}, {"32,48,48", 4, 11, {}, {}}, {"32,96,48", 2, 12, {}, {}}, {"none", 1, 13, {}, {}}};
  for (OneClient& client : clients) {
    client.folder = folder.path() / std::to_string(client.tiles);
    Simulate(client.folder, "32,96,80", client.tiles);
    const CliResult alone = server.Cli(RunArguments(client.folder, "alone.tif", client.iterations, client.tile));
    ASSERT_EQ(alone.exit.code, 0) << alone.err;
  }
  const std::map<std::string, int> alone = TasksDone(server);
  std::vector<std::jthread> threads;
  for (OneClient& client : clients)
    threads.emplace_back([&client, &server] {
      client.result = RunCli(With(RunArguments(client.folder, "together.tif", client.iterations, client.tile),
                                  {"--json", "--server", server.address()}),
                             client.folder);
    });
  threads.clear();
  for (const OneClient& client : clients) {
    SCOPED_TRACE(client.tiles);
    ASSERT_EQ(client.result.exit.code, 0) << client.result.err << server.Log();
    ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(client.folder / "alone.tif"));
    ASSERT_OK_AND_ASSIGN(const Image got, LoadImage(client.folder / "together.tif"));
    EXPECT_LE(RelativeL2(got.voxels, expected.voxels), 1e-6);
    ExpectOwnProgress(client);
  }
  const std::map<std::string, int> together = TasksDone(server);
  ASSERT_EQ(together.size(), 2U);
  for (const auto& [worker, done] : together) EXPECT_GT(done, alone.at(worker)) << worker << " stood by";
}

TEST(ServiceTest, AWorkerThatDoesNotSeeTheSpoolStreamsOverAPort) {
  TemporaryFolder folder;
  Simulate(folder.path(), "16,64,64", 1);
  ServerProcess server(folder.path(), 0, ServerProcess::Door::kPort);
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

// The processors that each thread of a process may run on, as the system writes them.
std::vector<std::string> AllowedProcessors(pid_t process) {
  std::vector<std::string> lists;
  for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", process))) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Cpus_allowed_list:")) lists.push_back(line.substr(line.find('\t') + 1));
    }
  }
  return lists;
}

// Those that read ahead, deliver and talk to the server go wherever there is room.
TEST(ServiceTest, APinnedWorkerTiesOnlyTheThreadsThatCompute) {
  const std::string all = AllowedProcessors(getpid()).front();
  if (all.find_first_of(",-") == std::string::npos) GTEST_SKIP() << "this machine has a single processor";
  TemporaryFolder folder;
  Simulate(folder.path(), "16,64,64", 1);
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto worker = server.StartWorker("pinned", true, {}, {"--pin", "1/1"});
  ASSERT_EQ(server.Cli(RunArguments(folder.path(), "out.tif", 3)).exit.code, 0) << worker->Errors();
  const std::vector<std::string> lists = AllowedProcessors(worker->pid());
  const auto tied = std::count_if(lists.begin(), lists.end(), [&](const std::string& list) { return list != all; });
  EXPECT_EQ(tied, 1) << fmt::format("{}", fmt::join(lists, "; "));
}

TEST(ServiceTest, VolumesAreListedAndGivenBack) {
  TemporaryFolder folder;
  Simulate(folder.path(), "8,32,32", 1);
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  auto worker = server.StartWorker("worker");
  ASSERT_TRUE(Eventually([&] { return server.Cli({"workers"}).out.find("workers/") != std::string::npos; }));
  worker->Kill();
  const CliResult waiting = server.Cli({"submit", "--json", (folder.path() / "raw.ome.tif").string(), "--psf",
                                        (folder.path() / "psf.ome.tif").string()});
  ASSERT_EQ(waiting.exit.code, 0) << waiting.err;
  const auto job = LastJson(waiting.out)["job"];
  const std::string input = job["spec"]["deconvolve"]["input_volume"].get<std::string>();
  const CliResult listed = server.Cli({"volumes"});
  EXPECT_NE(listed.out.find(input), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find("1 x 1 x 8 x 32 x 32"), std::string::npos) << listed.out;
  const CliResult refused = server.Cli({"volumes", "delete", input});
  EXPECT_NE(refused.exit.code, 0);
  EXPECT_NE(refused.err.find(job["name"].get<std::string>()), std::string::npos) << refused.err;
  EXPECT_EQ(server.Cli({"cancel", job["name"].get<std::string>()}).exit.code, 0);
  EXPECT_EQ(server.Cli({"volumes", "delete", input}).exit.code, 0);
  EXPECT_EQ(server.Cli({"volumes"}).out.find(input), std::string::npos);
  EXPECT_EQ(server.Cli({"job", job["name"].get<std::string>(), "--delete"}).exit.code, 0);
  EXPECT_NE(server.Cli({"volumes"}).out.find("no volumes"), std::string::npos);
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

std::vector<double> Joined(std::vector<double> first, const std::vector<double>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// A channel of an image with one time point.
std::vector<double> Channel(const Image& image, int64_t c) {
  const Shape5 shape = image.shape();
  const auto first = image.voxels.begin() + c * shape.frame().voxels();
  return {first, first + shape.frame().voxels()};
}

// A delta as PSF gives the channel back as it is; a wide one does not.
TEST(ServiceTest, EveryChannelIsDeconvolvedWithItsOwnPsf) {
  constexpr Shape3 kFrame{16, 32, 32}, kPsf{7, 15, 15};
  TemporaryFolder folder;
  std::vector<std::vector<double>> images(2),
      psfs = {std::vector<double>(static_cast<size_t>(kPsf.voxels()), 0), GaussianPsf(kPsf, 1, 2, 2)};
  psfs[0][static_cast<size_t>(kPsf.voxels() / 2)] = 1;
  std::mt19937_64 random(Seed());
  for (std::vector<double>& image : images)
    for (int64_t i = 0; i < kFrame.voxels(); ++i) image.push_back(static_cast<double>(10 + random() % 500));
  const auto save = [&](const std::string& name, const Shape5& shape, const std::vector<double>& voxels) {
    ASSERT_OK(SaveImage(folder.path() / (name + ".ome.tif"), MakeSpec(shape, v1::F32), voxels));
  };
  const auto run = [&](const std::string& image, const std::string& psf) {
    return Deconvolve(
        folder.path() / (image + ".ome.tif"), folder.path() / (psf + ".ome.tif"),
        folder.path() / (image + "-" + psf + ".ome.tif"),
        {"--boundary", "periodic", "--background", "0", "--iterations", "4", "--set", "acceleration=none"});
  };
  save("both", {1, 2, kFrame.z, kFrame.y, kFrame.x}, Joined(images[0], images[1]));
  save("second", {1, 1, kFrame.z, kFrame.y, kFrame.x}, images[1]);
  save("psfs", {1, 2, kPsf.z, kPsf.y, kPsf.x}, Joined(psfs[0], psfs[1]));
  save("delta", {1, 1, kPsf.z, kPsf.y, kPsf.x}, psfs[0]);
  save("wide", {1, 1, kPsf.z, kPsf.y, kPsf.x}, psfs[1]);
  const Image both = run("both", "psfs"), wide = run("second", "wide"), delta = run("second", "delta");
  ASSERT_EQ(both.shape(), (Shape5{1, 2, kFrame.z, kFrame.y, kFrame.x}));
  ASSERT_EQ(wide.voxels.size(), images[1].size());
  ASSERT_EQ(delta.voxels.size(), images[1].size());
  EXPECT_LE(RelativeL2(Channel(both, 0), images[0]), 1e-5);
  EXPECT_LE(RelativeL2(Channel(both, 1), wide.voxels), 1e-6);
  EXPECT_GE(RelativeL2(Channel(both, 1), delta.voxels), 0.1);
}

// Counts in, counts out: the light of beads on a periodic grid is kept, and u16 clipping is counted.
TEST(ServiceTest, ScaleIsThatOfTheInputAndClippingIsCounted) {
  TemporaryFolder folder;
  Simulate(folder.path(), "24,64,64", 2,
           {"--kind", "beads", "--photons", "30000", "--psf-fwhm-um", "0.7,0.3,0.3", "--background", "0", "--offset",
            "100", "--gain", "0.5", "--periodic"});
  const auto run = [&](const std::string& type, const std::vector<std::string>& more = {"--json"}) {
    return RunCli(
        With({"run", (folder.path() / "raw.ome.tif").string(), "--psf", (folder.path() / "psf.ome.tif").string(),
              "--boundary", "periodic", "--offset", "100", "--gain", "0.5", "--background", "0", "--iterations", "30",
              "--dtype", type, "--local", "-o", (folder.path() / (type + ".tif")).string()},
             more),
        folder.path());
  };
  ASSERT_EQ(run("f32").exit.code, 0);
  ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(folder.path() / "raw.ome.tif"));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(folder.path() / "f32.tif"));
  double light = 0;
  for (const double count : raw.voxels) light += count - 100;
  EXPECT_NEAR(Sum(result.voxels) / light, 1.0, 0.01);
  const CliResult clipped = run("u16"), said = run("u16", {});
  ASSERT_EQ(clipped.exit.code, 0) << clipped.err;
  ASSERT_OK_AND_ASSIGN(const Image whole, LoadImage(folder.path() / "u16.tif"));
  const auto above = std::count_if(result.voxels.begin(), result.voxels.end(), [](double v) { return v >= 65535.5; });
  ASSERT_GT(above, 0) << "the specimen is meant to overflow 16 bits";
  EXPECT_EQ(LastJson(clipped.out)["job"]["result"]["clipped_voxels"], above) << clipped.out;
  EXPECT_NE((said.out + said.err).find("clipped: " + std::to_string(above) + " voxels"), std::string::npos)
      << said.out << said.err;
  ASSERT_EQ(whole.voxels.size(), result.voxels.size());
  for (size_t i = 0; i < whole.voxels.size(); ++i)
    ASSERT_NEAR(whole.voxels[i], std::min(result.voxels[i], 65535.0), 0.6) << "voxel " << i;
}

TEST(ServiceTest, ASimulationSaysWhatItClipped) {
  TemporaryFolder folder;
  const auto simulate = [&](const std::string& photons) {
    return RunCli(
        {"simulate", "-o", (folder.path() / photons).string(), "--shape", "8,32,32", "--photons", photons, "--local"},
        folder.path());
  };
  const CliResult clipped = simulate("200000"), whole = simulate("200");
  ASSERT_EQ(clipped.exit.code, 0) << clipped.err;
  EXPECT_NE(clipped.err.find("voxels of the image did not fit into U16 and were clipped"), std::string::npos)
      << clipped.err;
  ASSERT_EQ(whole.exit.code, 0) << whole.err;
  EXPECT_EQ(whole.err.find("clipped"), std::string::npos) << whole.err;
}

TEST(ServiceTest, APsfFromOpticsServesAJob) {
  TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) { return RunCli(std::move(arguments), folder.path()); };
  const CliResult psf =
      run({"psf", "generate", "-o", "psf.ome.tif", "--optics", "na=1.2,ri_immersion=1.333,emission_um=0.52",
           "--voxel-um", "0.25,0.1,0.1", "--shape", "11,21,21", "--local"});
  ASSERT_EQ(psf.exit.code, 0) << psf.err;
  const CliResult image = run({"simulate", "-o", "sample", "--shape", "11,40,40", "--psf", "psf.ome.tif", "--voxel-um",
                               "0.25,0.1,0.1", "--local"});
  ASSERT_EQ(image.exit.code, 0) << image.err;
  const CliResult result = run({"run", "sample/raw.ome.tif", "--psf", "psf.ome.tif", "-o", "out.tif", "--local"});
  EXPECT_EQ(result.exit.code, 0) << result.err;
  const CliResult wrong =
      run({"psf", "generate", "-o", "no.tif", "--optics", "na=1.4,emission_um=520", "--voxel-um", "0.2,0.1,0.1"});
  EXPECT_EQ(wrong.exit.code, 2) << wrong.err;
  EXPECT_NE(wrong.err.find("`emission_um` is 520"), std::string::npos) << wrong.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "no.tif"));
}

TEST(ServiceTest, APsfFromBeadsSaysWhichBeadsServed) {
  TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) { return RunCli(std::move(arguments), folder.path()); };
  const CliResult beads = run({"simulate", "-o", "beads", "--shape", "32,128,128", "--kind", "beads", "--photons",
                               "5000", "--seed", "3", "--local"});
  ASSERT_EQ(beads.exit.code, 0) << beads.err;
  const CliResult psf =
      run({"psf", "distill", "beads/raw.ome.tif", "-o", "psf.ome.tif", "--shape", "11,13,13", "--local"});
  ASSERT_EQ(psf.exit.code, 0) << psf.err;
  EXPECT_NE((psf.out + psf.err).find("beads, trimmed mean: full width at half maximum"), std::string::npos)
      << psf.out << psf.err;
  const CliResult none =
      run({"psf", "distill", "beads/psf.ome.tif", "-o", "no.tif", "--shape", "3,3,3", "--snr", "1e9", "--local"});
  EXPECT_NE(none.exit.code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "no.tif"));
  const CliResult even = run({"psf", "distill", "beads/raw.ome.tif", "-o", "no.tif", "--shape", "10,13,13"});
  EXPECT_EQ(even.exit.code, 2) << even.err;
}

// The arguments with the files and samples that they name in `folder`.
std::vector<std::string> InFolder(std::vector<std::string> arguments, const std::filesystem::path& folder) {
  for (std::string& argument : arguments) {
    const bool names = argument.ends_with(".tif") || argument.ends_with(".png") || argument.starts_with("sample");
    if (names) argument = (folder / argument).string();
  }
  return arguments;
}

TEST(ServiceTest, APsfOfOtherVoxelsAndWithABackgroundServesAJob) {
  TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) {
    return RunCli(InFolder(arguments, folder.path()), folder.path());
  };
  const CliResult psf =
      run({"psf", "generate", "-o", "psf.ome.tif", "--microscopy", "spinning-disk", "--model", "born-wolf", "--optics",
           "na=0.9,ri_immersion=1,emission_um=0.52,excitation_um=0.488,pinhole_spacing_um=5", "--zernike",
           "8=0.05,11=0.03", "--voxel-um", "0.25,0.08,0.08", "--energy", "0.9", "--picture", "psf.png", "--local"});
  ASSERT_EQ(psf.exit.code, 0) << psf.err;
  EXPECT_NE((psf.out + psf.err).find("cut to 90 % of the light"), std::string::npos) << psf.out << psf.err;
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "psf.png"));
  const CliResult image = run(
      {"simulate", "-o", "sample", "--shape", "17,40,40", "--voxel-um", "0.3,0.12,0.12", "--kind", "beads", "--local"});
  ASSERT_EQ(image.exit.code, 0) << image.err;
  const CliResult result = run({"run", "sample/raw.ome.tif", "--psf", "psf.ome.tif", "--psf-background", "1e-9", "-o",
                                "out.tif", "--tile", "17,24,40", "--local"});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_NE(result.err.find("become the image's of 0.3 x 0.12 x 0.12 um"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("a background of 1e-09 was taken off"), std::string::npos) << result.err;
  const CliResult mode = run({"psf", "generate", "-o", "no.tif", "--optics", "na=1.4,emission_um=0.52", "--zernike",
                              "40=0.1", "--voxel-um", "1,1,1"});
  EXPECT_EQ(mode.exit.code, 2) << mode.err;
  EXPECT_NE(mode.err.find("there is no Zernike mode 40"), std::string::npos) << mode.err;
}

TEST(ServiceTest, BeadsOfSeveralFilesBecomeOnePsf) {
  TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) {
    return RunCli(InFolder(arguments, folder.path()), folder.path());
  };
  for (const char* seed : {"3", "4"}) {
    const CliResult beads = run({"simulate", "-o", std::string("sample") + seed, "--shape", "24,96,96", "--kind",
                                 "beads", "--photons", "5000", "--seed", seed, "--local"});
    ASSERT_EQ(beads.exit.code, 0) << beads.err;
  }
  const CliResult psf =
      run({"psf", "distill", "sample3/raw.ome.tif", "sample4/raw.ome.tif", "-o", "psf.ome.tif", "--shape", "9,11,11",
           "--average", "median", "--smooth", "0.5", "--picture", "psf.png", "--local"});
  ASSERT_EQ(psf.exit.code, 0) << psf.err;
  const std::string told = psf.out + psf.err;
  EXPECT_NE(told.find("beads, median: full width at half maximum"), std::string::npos) << told;
  EXPECT_NE(told.find("before it was smoothed it was"), std::string::npos) << told;
  EXPECT_NE(told.find("of volume 1"), std::string::npos) << told;
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "psf.png"));
}

}  // namespace
}  // namespace deconvoy::testing
