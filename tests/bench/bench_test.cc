// That every measurement still runs and yields figures. How large they are is for tests/bench/run.sh to say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/support/process.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using Arguments = std::vector<std::string>;

void RunToEnd(const std::string& program, const Arguments& arguments, const Process::Options& options) {
  Process process(program, arguments, options);
  const auto exit = process.Wait(std::chrono::seconds(240));
  EXPECT_TRUE(exit && exit->code == 0) << process.Errors() << process.Output();
}

// Every number under `value` is finite and above 0; JSON has null for what is not finite.
void ExpectFigures(const nlohmann::json& value, const std::string& name) {
  if (value.is_structured()) {
    EXPECT_TRUE(!value.empty() || name == "left_out") << name << " is empty";
    for (const auto& [key, item] : value.items()) ExpectFigures(item, name.empty() ? key : name + "." + key);
    return;
  }
  EXPECT_FALSE(value.is_null()) << name << " is not finite";
  if (!value.is_number()) return;
  EXPECT_GT(value.get<double>(), 0) << name;
}

nlohmann::json Bench(Arguments arguments) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "result.json";
  arguments.insert(arguments.end(), {"--json", file.string()});
  RunToEnd("deconvoy-bench", arguments, {.environment = {}, .folder = folder.path(), .label = "bench"});
  return nlohmann::json::parse(ReadText(file), nullptr, /*allow_exceptions=*/false);
}

const Arguments kTiny = {"--shape", "16,40,44", "--psf", "5,7,9"};

Arguments Tiny(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), kTiny.begin(), kTiny.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(DeconvoyBench, TimesIterationsAgainstTransformsOfAnotherSize) {
  const auto r = Bench(Tiny({"iteration"}, {"--repeats", "3", "--baseline-padded", "24,50,54"}));
  ExpectFigures(r, "");
  EXPECT_EQ(r["iteration_seconds"].size(), 3U);
  EXPECT_EQ(r["four_transforms_seconds"].size(), 3U);
  EXPECT_EQ(r["baseline_padded"], nlohmann::json({24, 50, 54}));
  EXPECT_NE(r["padded"], r["baseline_padded"]);
}

TEST(DeconvoyBench, LeavesTheTransformsOut) {
  const auto r = Bench(Tiny({"iteration"}, {"--repeats", "3", "--no-baseline", "--psf-kind", "symmetric"}));
  ExpectFigures(r, "");
  EXPECT_FALSE(r.contains("ratio"));
}

TEST(DeconvoyBench, SolvesAndKeepsThePlans) {
  const TemporaryFolder wisdom;
  ExpectFigures(
      Bench(Tiny({"solve"}, {"--iterations", "3", "--repeats", "2", "--wisdom-folder", wisdom.path().string()})), "");
  EXPECT_FALSE(std::filesystem::is_empty(wisdom.path()));
}

TEST(DeconvoyBench, ComparesTheFirstJobWithLaterOnes) {
  const auto r = Bench(Tiny({"first-job"}, {"--iterations", "3", "--later-jobs", "2"}));
  ExpectFigures(r, "");
  EXPECT_EQ(r["later_seconds_per_iteration"].size(), 2U);
}

// On the processors, which are a device like any other.
TEST(DeconvoyBench, TimesIterationsOnADevice) {
  const auto r = Bench(Tiny({"gpu-iteration"}, {"--backend", "cpu", "--iterations", "2", "--repeats", "2"}));
  EXPECT_EQ(r["backend"], "cpu");
  EXPECT_EQ(r["iteration_seconds"].size(), 2U);
  EXPECT_GT(r["copy_bytes_per_second"], 0);
  EXPECT_GE(r["copy_bytes_per_second"], r["own_copy_bytes_per_second"]);
  EXPECT_GT(r["seconds_of_two_convolutions"], 0);
  EXPECT_GT(r["seconds_of_four_transforms"], 0);
  EXPECT_NEAR(r["over_four_transforms"].get<double>() * r["seconds_of_four_transforms"].get<double>(),
              r["seconds_per_iteration"].get<double>(), 1e-9);
  const double over = r["seconds_per_iteration"].get<double>() * r["copy_bytes_per_second"].get<double>() /
                      r["bytes_that_must_move"].get<double>();
  EXPECT_NEAR(r["over_bytes"].get<double>(), over, 1e-9 * std::abs(over));
}

TEST(DeconvoyBench, BoundsTheMemoryOfGpusAlone) {
  const TemporaryFolder folder;
  Process process("deconvoy-bench", {"gpu-iteration", "--backend", "cpu", "--shape", "8,8,8", "--memory-mib", "64"},
                  {.environment = {}, .folder = folder.path(), .label = "bench"});
  const auto exit = process.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 1);
  EXPECT_THAT(process.Errors(), ::testing::HasSubstr("--backend cuda"));
}

TEST(DeconvoyBench, ProjectsALargeVolumeFromItsTiles) {
  const auto r = Bench({"gpu-tiles", "--backend", "cpu", "--volume", "20,200,150", "--psf", "3,9,9", "--memory-mib",
                        "4", "--iterations", "2", "--tiles", "2", "--threads", "2"});
  EXPECT_GT(r["tiles_of_volume"], 1);
  EXPECT_EQ(r["at_once"], 1) << "nothing is gained by two on processors";
  EXPECT_EQ(r["seconds_per_tile"], r["seconds_per_tile_alone"]);
  EXPECT_GE(r["over_iterations"], 1);
  EXPECT_EQ(r["iterate_seconds"].size(), 2U);
  EXPECT_LE(r["loaded"][1], r["padded"][1]);
  EXPECT_NEAR(r["projected_seconds"].get<double>(),
              r["seconds_per_tile"].get<double>() * r["tiles_of_volume"].get<double>(), 1e-9);
}

TEST(DeconvoyBench, SaysThatThereIsNoGpu) {
  const TemporaryFolder folder;
  Process process("deconvoy-bench", {"gpu-iteration", "--backend", "cuda"},
                  {.environment = {{"CUDA_VISIBLE_DEVICES", ""}}, .folder = folder.path(), .label = "bench"});
  const auto exit = process.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 1);
  EXPECT_THAT(process.Errors(), ::testing::HasSubstr("CUDA"));
}

TEST(DeconvoyBench, CallsAServerOnWhichTasksWait) {
  const auto r = Bench({"queue", "--jobs", "6", "--tasks-per-job", "4", "--users", "3", "--calls", "10"});
  EXPECT_EQ(r["tasks"], 24);
  EXPECT_EQ(r["synchronize_seconds"].size(), 10U);
}

TEST(DeconvoyBench, SaysWhichSizesItLeftOut) {
  const auto r = Bench({"scaling", "--largest", "1", "--repeats", "2", "--psf", "5,5,5"});
  ExpectFigures(r, "");
  EXPECT_EQ(r["sizes"].size(), 1U);
  EXPECT_FALSE(r["left_out"].empty());
}

TEST(DeconvoyBench, MeasuresEveryOperationAndElementLoop) {
  const auto r = Bench({"operations", "--domain", "16,32,32", "--psf", "5,5,5", "--row", "256", "--repeats", "2"});
  ExpectFigures(r, "");
  EXPECT_EQ(r["operations"].size(), 11U);
  EXPECT_EQ(r["element_loops"].size(), 9U);
}

TEST(DeconvoyBench, JudgesAVariantOfTheMethod) {
  const TemporaryFolder empty;
  auto r = Bench({"quality", "--shape", "16,32,32", "--most-iterations", "3", "--bars", empty.path().string(), "--set",
                  "acceleration", "heavy-ball"});
  EXPECT_EQ(r["bars"]["available"], false);
  EXPECT_EQ(r["light_sheet"]["available"], true);
  for (const char* boundary : {"periodic", "extend"}) {
    r["light_sheet"][boundary].erase("iterations_needed");  // null where none suffices
    ExpectFigures(r["light_sheet"][boundary], boundary);
  }
}

TEST(DeconvoyBench, TimesEveryMethod) {
  const auto r = Bench({"methods", "--shape", "16,40,44", "--psf", "5,7,9", "--repeats", "2"});
  EXPECT_GE(r["methods"].size(), 10U);
  for (auto method : r["methods"]) {
    EXPECT_EQ(method["samples_seconds"].size(), 2U) << method["name"];
    ExpectFigures(method, method["name"].get<std::string>());
  }
}

TEST(DeconvoyBench, MeasuresWhatAMethodTellsApart) {
  const auto r = Bench({"resolution", "--method", "tikhonov"});
  ASSERT_EQ(r["rows"].size(), 3U);  // the truth, the image and the method
  for (const auto& row : r["rows"]) {
    EXPECT_EQ(row["dips"].size(), 4U);
    for (const char* figure : {"bead_x", "bead_z", "wall", "light"}) ExpectFigures(row[figure], figure);
  }
}

TEST(DeconvoyBench, TimesPsfsFromOptics) {
  const auto r = Bench({"psf", "--repeats", "2"});
  ASSERT_EQ(r["cases"].size(), 2U);
  EXPECT_EQ(r["threads"], 1);
  for (const auto& one : r["cases"]) {
    EXPECT_EQ(one["seconds"].size(), 2U) << one["name"];
    ExpectFigures(one, one["name"].get<std::string>());
  }
}

TEST(DeconvoyBench, SaysWhichParameterIsNotAvailable) {
  const TemporaryFolder empty;
  const auto r = Bench({"quality", "--shape", "16,32,32", "--bars", empty.path().string(), "--set", "colour", "red"});
  EXPECT_EQ(r["light_sheet"]["available"], false);
  EXPECT_THAT(r["light_sheet"]["why"].get<std::string>(), ::testing::HasSubstr("colour"));
}

TEST(DeconvoyBench, TimesTheBars) {
  SKIP_WITHOUT(SharedData() / "dvbars" / "raw_g15.tif");
  const auto r = Bench({"quality", "--scene", "bars", "--bars", (SharedData() / "dvbars").string(),
                        "--plain-iterations", "3", "--repeats", "1"});
  EXPECT_EQ(r["bars"]["available"], true);
  ExpectFigures(r["bars"], "bars");
}

TEST(Acquisition, PlaysAMicroscopeIntoAServer) {
  const TemporaryFolder folder;
  ServerProcess server(folder.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  Process player(
      "deconvoy-acquisition",
      {"--server", server.address(), "--planes", "40", "--extent", "48", "--rate", "200", "--iterations", "2"},
      {.environment = {}, .folder = folder.path(), .label = "player"});
  const auto exit = player.Wait(std::chrono::seconds(240));
  ASSERT_TRUE(exit && exit->code == 0) << player.Errors() << server.Log();
  const auto told = LastJson(player.Output());
  EXPECT_EQ(told["state"], "SUCCEEDED");
  EXPECT_EQ(told["chunks_acknowledged"], 40);
  for (const char* figure :
       {"chunks_sent", "held_up_p99_ms", "acknowledged_p99_ms", "end_after_last_plane_s", "tile_s", "computing_s"}) {
    ExpectFigures(told[figure], figure);
  }
}

TEST(Acquisition, PlaysTimePointsOfAWidefieldMicroscope) {
  const TemporaryFolder folder;
  ServerProcess server(folder.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  Process player("deconvoy-acquisition",
                 {"--server", server.address(), "--psf", "widefield", "--times", "3", "--planes", "20", "--extent",
                  "32", "--rate", "20", "--iterations", "1"},
                 {.environment = {}, .folder = folder.path(), .label = "player"});
  const auto exit = player.Wait(std::chrono::seconds(240));
  ASSERT_TRUE(exit && exit->code == 0) << player.Errors() << server.Log();
  const auto told = LastJson(player.Output());
  EXPECT_EQ(told["state"], "SUCCEEDED");
  EXPECT_EQ(told["chunks_acknowledged"], 60);
  ASSERT_TRUE(told["first_time_point_before_last_plane_s"].is_number());
  EXPECT_NE(told["first_time_point_before_last_plane_s"], -1.0) << "its end was not seen";
}

// The example, which records through the client's library.
class ExampleTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start()) << server_.Log(); }

  // `planes` of 48 x 48 at 200 per second.
  int Play(int planes, Arguments more) {
    Arguments arguments = {"--server", server_.address(), "--shape", "1,1," + std::to_string(planes) + ",48,48"};
    more.insert(more.end(), {"--planes-per-second", "200", "--iterations", "2", "--psf", "9"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    Process player("deconvoy-microscope-example", arguments,
                   {.environment = {}, .folder = folder_.path(), .label = "example"});
    const auto exit = player.Wait(std::chrono::seconds(240));
    out_ = player.Output();
    err_ = player.Errors();
    return exit ? exit->code : -1;
  }

  // A file of planes of noise, as a camera gives them.
  std::string RawFile(int planes) const {
    const auto file = folder_.path() / "planes.raw";
    std::mt19937 random(5);
    std::ofstream out(file, std::ios::binary);
    for (int i = 0; i < planes * 48 * 48; ++i) {
      const auto counts = static_cast<uint16_t>(100 + random() % 64);
      out.write(reinterpret_cast<const char*>(&counts), sizeof(counts));
    }
    return file.string();
  }

  const TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  std::string out_, err_;
};

TEST_F(ExampleTest, TellsHowLongPlanesAndResultsTake) {
  ASSERT_EQ(Play(40, {"--json"}), 0) << err_ << server_.Log();
  const auto told = LastJson(out_);
  EXPECT_EQ(told["state"], "SUCCEEDED");
  EXPECT_EQ(told["planes_durable"], 40);
  for (const char* figure : {"push_ms", "acknowledged_ms", "first_box_s", "last_plane_s", "end_s"}) {
    ASSERT_TRUE(told.contains(figure)) << out_;
    ExpectFigures(told[figure], figure);
  }
  EXPECT_LE(told["push_ms"]["p50"], told["push_ms"]["p99"]);
  EXPECT_LE(told["push_ms"]["p99"], told["push_ms"]["max"]);
  const auto job = LastJson(server_.Cli({"job", told["job"].get<std::string>(), "--json"}).out);
  EXPECT_EQ(job["state"], "SUCCEEDED");
  EXPECT_EQ(job["progress"]["tasks_done"], job["progress"]["tasks_total"]);
}

TEST_F(ExampleTest, PlaysAFileAndSaysWhereItEnds) {
  const std::string raw = RawFile(20);
  ASSERT_EQ(Play(20, {"--raw", raw}), 0) << err_ << server_.Log();
  EXPECT_THAT(out_, ::testing::HasSubstr("Push: p50 "));
  EXPECT_THAT(out_, ::testing::HasSubstr("first finished box after "));
  EXPECT_EQ(Play(21, {"--raw", raw}), 1);
  EXPECT_THAT(err_, ::testing::HasSubstr("does not hold 21 planes"));
}

TEST(Clients, SubmitAndWatchAtAServer) {
  const TemporaryFolder folder;
  ServerProcess server(folder.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto r = Bench({"clients", "--server", server.address(), "--clients", "4", "--seconds", "0.5"});
  EXPECT_TRUE(r["errors"].empty()) << r["errors"];
  for (const char* rpc : {"Submit", "Watch", "Get", "Delete"}) {
    ASSERT_TRUE(r["calls"].contains(rpc)) << rpc;
    EXPECT_GE(r["calls"][rpc]["calls"], 4) << rpc;
    ExpectFigures(r["calls"][rpc], rpc);
  }
}

TEST(RunScript, MeasuresTheWholeServiceAndLeavesNothing) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "result.json", scratch = folder.path() / "scratch";
  std::filesystem::create_directory(scratch);
  RunToEnd((SourceDir() / "tests/bench/run.sh").string(),
           {"--quick", "--samples", "1", "--bin", ProgramDir().string(), "--json", file.string(), "memory",
            "big-volume", "two-workers", "run", "psf", "transfer", "streams"},
           {.environment = {{"TMPDIR", scratch.string()}}, .folder = folder.path(), .label = "script"});
  EXPECT_TRUE(std::filesystem::is_empty(scratch));
  const auto r = nlohmann::json::parse(ReadText(file), nullptr, /*allow_exceptions=*/false);
  ASSERT_EQ(r["measurements"].size(), 7U);
  for (const auto& [name, rows] : r["measurements"].items()) {
    EXPECT_FALSE(rows.empty()) << name;
    for (const auto& row : rows) ExpectFigures(row["value"], row["what"].get<std::string>());
  }
}

}  // namespace
}  // namespace deconvoy::testing
