// Models with real programs: trained part by part, kept, applied, taken out and brought back. SKIPPED where the worker
// was built without LibTorch, but for what it says then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;

class ModelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start()) << server_.Log();
    const CliResult network = Do({"methods", "network", "--json"});
    unavailable_ = LastJson(network.out).value("unavailable", "");
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  // A verb that must succeed.
  CliResult Do(const std::vector<std::string>& arguments) const {
    CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << arguments[0] << " " << arguments[1] << ": " << result.err << server_.Log();
    return result;
  }

  void Simulate() const {
    Do({"psf", "generate", "-o", File("psf.ome.tif"), "--optics", "ri_immersion=1.333,emission_um=0.52,na=1.0",
        "--voxel-um", "0.2,0.1,0.1", "--shape", "9,11,11", "--keep", "gfp"});
    Do({"simulate", "-o", File("sample"), "--shape", "16,40,40", "--psf", File("psf.ome.tif"), "--voxel-um",
        "0.2,0.1,0.1"});
  }
  CliResult Train(const std::string& name, const std::vector<std::string>& more = {}) const {
    return Do(With({"models", "train", name, "--network", "rln", "--psf", "psfs/gfp", "--steps", "4", "--parts", "2",
                    "--patch", "16,16,16", "--json"},
                   more));
  }
  CliResult Apply(const std::vector<std::string>& models, const std::string& output,
                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "run", File("sample/raw.ome.tif"), "--psf", "psfs/gfp", "-o", File(output), "--method", "network", "--json"};
    for (const std::string& model : models) arguments.insert(arguments.end(), {"--network", model});
    return Do(With(arguments, more));
  }
  // A file's model, without the server.
  CliResult ApplyHere(const std::string& file, const std::string& output) const {
    return RunCli({"run", File("sample/raw.ome.tif"), "--psf", File("psf.ome.tif"), "-o", File(output), "--method",
                   "network", "--network", File(file), "--local", "--json"},
                  folder_.path());
  }
  static std::string ModelOf(const CliResult& run) { return LastJson(run.out)["job"]["models"][0]["name"]; }
  std::vector<double> Load(const std::string& file) const {
    auto image = LoadImage(File(file));
    EXPECT_OK(image);
    return image.ok() ? image->voxels : std::vector<double>{};
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  std::string unavailable_;  // why there are no models here; empty: there are
};

TEST_F(ModelsTest, WithoutLibTorchTheReasonIsTold) {
  if (unavailable_.empty()) GTEST_SKIP() << "the worker was built with LibTorch";
  Simulate();
  const CliResult refused = server_.Cli({"models", "train", "mine", "--psf", "psfs/gfp"});
  EXPECT_EQ(refused.exit.code, 7) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("LibTorch"));
  std::ofstream(File("net.safetensors"), std::ios::binary) << std::string("\2\0\0\0\0\0\0\0{}", 10);
  const CliResult given = ApplyHere("net.safetensors", "out.tif");
  EXPECT_EQ(given.exit.code, 7) << given.err;
  EXPECT_THAT(given.err, HasSubstr("LibTorch"));
}

TEST_F(ModelsTest, ATrainedModelIsKeptAppliedTakenOutAndBroughtBack) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  const auto kept = LastJson(Train("mine").out);
  EXPECT_EQ(kept["model"]["name"], "models/mine/versions/1");
  EXPECT_EQ(kept["model"]["facts"]["training"]["points"].size(), 2U) << "one for each part";
  ASSERT_TRUE(server_.Stop().has_value());
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const auto job = LastJson(Apply({"mine"}, "whole.tif").out)["job"];
  EXPECT_EQ(job["models"][0]["name"], "models/mine/versions/1");
  EXPECT_GT(job["result"]["trust"]["compared_voxels"], 0);
  EXPECT_GT(job["result"]["quality"]["voxels"], 0) << "the data consistency";
  for (const auto& finding : job["findings"]) {
    EXPECT_EQ(finding["message"].get<std::string>().find("ANOTHER PSF"), std::string::npos) << finding;
  }

  // The boxes of some tiles begin on odd voxels, those of the network on even ones.
  Apply({"mine"}, "tiled.tif", {"--tile", "16,13,13"});
  const std::vector<double> whole = Load("whole.tif"), tiled = Load("tiled.tif");
  ASSERT_EQ(whole.size(), tiled.size());
  const double range = *std::max_element(whole.begin(), whole.end());
  for (size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(tiled[i], whole[i], 1e-3 * range) << i;

  Do({"models", "export", "mine", "-o", File("mine.safetensors")});
  Do({"models", "import", "again", File("mine.safetensors")});
  const auto original = LastJson(Do({"models", "show", "mine", "--json"}).out);
  const auto brought = LastJson(Do({"models", "show", "again", "--json"}).out);
  EXPECT_EQ(brought["facts"]["digest"], original["facts"]["digest"]);
  EXPECT_EQ(brought["facts"]["halo"], original["facts"]["halo"]);
  EXPECT_EQ(brought["facts"]["training"]["points"], original["facts"]["training"]["points"]);
  EXPECT_FALSE(original["facts"]["quality"].empty());
  for (const char* evidence : {"quality", "patches", "code_version"}) {
    EXPECT_EQ(brought["facts"][evidence], original["facts"][evidence]) << evidence;
  }
  EXPECT_GT(LastJson(Apply({"again"}, "again.tif").out)["job"]["result"]["trust"]["patches"], 0)
      << "what is strange to it";
  EXPECT_TRUE(Load("again.tif") == whole);
  Do({"models", "delete", "again", "--all"});
  EXPECT_EQ(server_.Cli({"models", "show", "again"}).exit.code, 3);
}

TEST_F(ModelsTest, ATrainingThatNobodyWaitedForIsKept) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  const auto submitted = LastJson(Train("mine", {"--no-wait"}).out);
  ASSERT_EQ(submitted["event"], "submitted");
  const std::string job = submitted["job"]["name"];
  EXPECT_EQ(server_.Cli({"models", "show", "mine"}).exit.code, 3) << "nobody has kept it";
  EXPECT_THAT(Do({"watch", job}).err, HasSubstr("deconvoy models keep NAME " + job));
  const auto kept = LastJson(Do({"models", "keep", "mine", job, "--description", "of last night", "--json"}).out);
  EXPECT_EQ(kept["model"]["name"], "models/mine/versions/1");
  EXPECT_EQ(kept["model"]["job"], job);
  EXPECT_THAT(Do({"models", "show", "mine"}).out, HasSubstr("of last night"));
  const CliResult again = server_.Cli({"models", "keep", "mine", job});
  EXPECT_NE(again.exit.code, 0) << "it is kept already";
}

TEST_F(ModelsTest, AModelsFileIsAppliedWithAndWithoutTheServer) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  Train("mine");
  Do({"models", "export", "mine", "-o", File("Own file.safetensors")});
  EXPECT_EQ(ModelOf(Apply({File("Own file.safetensors")}, "known.tif")), "models/mine/versions/1");
  Do({"models", "delete", "mine", "--all"});
  EXPECT_EQ(ModelOf(Apply({File("Own file.safetensors")}, "sent.tif")), "models/own-file/versions/1");
  EXPECT_EQ(ModelOf(Apply({File("Own file.safetensors")}, "again.tif")), "models/own-file/versions/1");
  EXPECT_TRUE(Load("sent.tif") == Load("known.tif"));
  EXPECT_THAT(Do({"jobs", "--all"}).out, HasSubstr("no jobs"));

  const CliResult here = ApplyHere("Own file.safetensors", "here.tif");
  ASSERT_EQ(here.exit.code, 0) << here.err;
  EXPECT_EQ(ModelOf(here), "models/own-file/versions/1");
  EXPECT_LE(RelativeL2(Load("here.tif"), Load("known.tif")), 1e-5);

  Do({"models", "delete", "own-file", "--all"});
  Do({"preflight", File("sample/raw.ome.tif"), "--psf", "psfs/gfp", "--method", "network", "--network",
      File("Own file.safetensors")});
  EXPECT_EQ(server_.Cli({"models", "show", "own-file"}).exit.code, 3) << "nothing stays";

  std::ifstream whole(File("Own file.safetensors"), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  std::ofstream(File("cut.safetensors"), std::ios::binary) << bytes.substr(0, bytes.size() - 4);
  const CliResult cut = ApplyHere("cut.safetensors", "cut.tif");
  EXPECT_EQ(cut.exit.code, 3) << cut.err;
  EXPECT_THAT(cut.err, HasSubstr("cut.safetensors"));
}

TEST_F(ModelsTest, ATrainedDenoiserServesPlugAndPlay) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  Do({"models",     "train",        "clean", "--network",     "dncnn3d", "--target",     "denoise",  "--psf",
      "psfs/gfp",   "--steps",      "20",    "--parts",       "2",       "--patch",      "16,16,16", "--specimens",
      "3",          "--validation", "2",     "--least-noise", "0.05",    "--most-noise", "0.1",      "--voxel-um",
      "0.2,0.1,0.1"});
  const auto kept = LastJson(Do({"models", "show", "clean", "--json"}).out);
  const auto recipe = nlohmann::json::parse(kept["facts"]["recipe"].get<std::string>());
  EXPECT_EQ(recipe["specimens"], 3);
  EXPECT_EQ(recipe["validation"], 2);
  EXPECT_EQ(recipe["noise"], nlohmann::json({0.05, 0.1}));

  const std::vector<std::string> run = {"run",          File("sample/raw.ome.tif"),
                                        "--psf",        "psfs/gfp",
                                        "--method",     "pnp-admm",
                                        "--iterations", "5",
                                        "--set",        "sigma=1",
                                        "--json"};
  const CliResult learned = Do(With(run, {"-o", File("learned.tif"), "--network", "clean"}));
  const auto job = LastJson(learned.out)["job"];
  EXPECT_EQ(job["models"][0]["name"], "models/clean/versions/1");
  EXPECT_FALSE(job["spec"]["deconvolve"]["parameters"].contains("denoiser"));
  EXPECT_EQ(learned.err.find("ANOTHER PSF"), std::string::npos) << learned.err;
  Do(With(run, {"-o", File("tv.tif")}));
  Do(With(run, {"-o", File("tiled.tif"), "--network", "clean", "--tile", "16,20,20"}));
  Do({"models", "export", "clean", "-o", File("clean.safetensors")});
  std::vector<std::string> here =
      With(run, {"-o", File("here.tif"), "--network", File("clean.safetensors"), "--local"});
  here[3] = File("psf.ome.tif");
  const CliResult from_file = RunCli(here, folder_.path());
  ASSERT_EQ(from_file.exit.code, 0) << from_file.err;
  EXPECT_LE(RelativeL2(Load("here.tif"), Load("learned.tif")), 1e-4);
  const std::vector<double> whole = Load("learned.tif"), tiled = Load("tiled.tif"), tv = Load("tv.tif");
  ASSERT_TRUE(whole.size() == tiled.size() && whole.size() == tv.size());
  double cut = 0, other = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    cut += (tiled[i] - whole[i]) * (tiled[i] - whole[i]);
    other += (tv[i] - whole[i]) * (tv[i] - whole[i]);
  }
  EXPECT_LT(cut, other) << "tiles change less than another denoiser does";
  EXPECT_GT(other, 0);

  const std::vector<std::vector<std::string>> wrong = {
      {"--set", "denoiser=tv"}, {"--compared-tiles", "1"}, {"--spread", File("spread.tif")}};
  for (const std::vector<std::string>& more : wrong) {
    const CliResult refused = server_.Cli(With(With(run, {"-o", File("no.tif"), "--network", "clean"}), more));
    EXPECT_NE(refused.exit.code, 0) << more[0];
  }
}

TEST_F(ModelsTest, ImagesToLearnFromMayBeFiles) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  const std::vector<std::string> train = {"models",
                                          "train",
                                          "own",
                                          "--network",
                                          "rln",
                                          "--psf",
                                          "psfs/gfp",
                                          "--steps",
                                          "4",
                                          "--parts",
                                          "2",
                                          "--patch",
                                          "16,16,16",
                                          "--target",
                                          "pairs",
                                          "--image",
                                          File("sample/raw.ome.tif")};
  const auto volumes = [&] {
    const std::string list = Do({"volumes", "--json"}).out;
    return std::count(list.begin(), list.end(), '\n');
  };
  const auto before = volumes();
  Do(With(train, {"--truth", File("sample/truth.ome.tif")}));
  EXPECT_EQ(volumes(), before + 1) << "the model stays, and what was sent is removed";
  const auto kept = LastJson(Do({"models", "show", "own", "--json"}).out);
  const auto recipe = nlohmann::json::parse(kept["facts"]["recipe"].get<std::string>());
  EXPECT_EQ(recipe["source"], "pairs");
  EXPECT_EQ(recipe["images"], 1);
  EXPECT_NE(server_.Cli(train).exit.code, 0) << "a pair has two";
}

TEST_F(ModelsTest, SeveralModelsTellTheirSpreadAndNothingIsComparedUnasked) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  Train("one");
  Train("two", {"--seed", "2"});
  const auto job =
      LastJson(Apply({"one", "two"}, "both.tif", {"--spread", File("spread.tif"), "--compared-tiles", "0"}).out)["job"];
  EXPECT_EQ(job["spec"]["deconvolve"]["classical_method"], "");
  EXPECT_THAT(job["findings"].dump(), HasSubstr("the spread of the models' result is"));
  Apply({"one"}, "one.tif");
  Apply({"two"}, "two.tif");
  const std::vector<double> one = Load("one.tif"), two = Load("two.tif"), both = Load("both.tif"),
                            spread = Load("spread.tif");
  ASSERT_TRUE(one.size() == both.size() && two.size() == both.size() && spread.size() == both.size());
  const double range = *std::max_element(both.begin(), both.end());
  double disagreement = 0;
  for (size_t i = 0; i < both.size(); ++i) {
    disagreement = std::max(disagreement, std::abs(one[i] - two[i]) / 2);
    ASSERT_NEAR(both[i], (one[i] + two[i]) / 2, 1e-4 * range) << i;
    ASSERT_NEAR(spread[i], std::abs(one[i] - two[i]) / 2, 1e-3 * range) << i;
  }
  EXPECT_GT(disagreement, 0);
}

struct Lesson {
  std::string name;
  std::vector<std::string> options;
  bool from_image = false;          // from that of the sample, without specimens
  std::vector<std::string> recipe;  // of it as JSON
};

class EveryLesson : public ModelsTest, public ::testing::WithParamInterface<Lesson> {};

TEST_P(EveryLesson, IsWhatTheModelSaysThatItHasLearned) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  std::vector<std::string> options = With({"--specimens", "2", "--validation", "1"}, GetParam().options);
  if (GetParam().from_image) options.insert(options.end(), {"--image", File("sample/raw.ome.tif")});
  const auto kept = LastJson(Train("mine", options).out);
  const std::string recipe = kept["model"]["facts"]["recipe"];
  for (const std::string& part : GetParam().recipe) EXPECT_THAT(recipe, HasSubstr(part));
  EXPECT_THAT(recipe, HasSubstr("\"parts\":2"));
  EXPECT_EQ(recipe.find("image_digests") != std::string::npos, GetParam().from_image);
  EXPECT_EQ(kept["model"]["facts"]["quality"].size(), GetParam().from_image ? 0U : 2U)
      << "mixed specimens, and nuclei, which it has not seen";
  EXPECT_FALSE(kept["model"]["facts"]["code_version"].empty());
  const auto job = LastJson(Apply({"mine"}, "out.tif", {"--residual", File("residual.tif")}).out)["job"];
  EXPECT_EQ(Load("residual.tif").size(), Load("out.tif").size());
  EXPECT_GT(job["result"]["quality"]["residual_squares"], 0);
}

INSTANTIATE_TEST_SUITE_P(
    Models, EveryLesson,
    ::testing::Values(Lesson{"Distilled",
                             {"--target", "method", "--method", "rl-tv", "--param", "iterations=3"},
                             false,
                             {R"("source":"method","method":"rl-tv")", R"("iterations":"3")"}},
                      Lesson{"BlindSpot", {"--target", "blind-spot"}, true, {R"("source":"blind-spot")"}},
                      Lesson{"Degradation", {"--target", "degradation"}, true, {R"("source":"degradation")"}},
                      Lesson{
                          "Probabilistic", {"--probabilistic"}, false, {R"("head":"probabilistic","source":"truth")"}}),
    [](const auto& test) { return test.param.name; });

TEST_F(ModelsTest, AModelForAnotherPsfSaysSo) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  Simulate();
  Train("mine");
  Do({"psf", "generate", "-o", File("other.ome.tif"), "--optics", "ri_immersion=1.333,emission_um=0.6,na=0.8",
      "--voxel-um", "0.2,0.1,0.1", "--shape", "9,11,11"});
  const CliResult result = Do({"run", File("sample/raw.ome.tif"), "--psf", File("other.ome.tif"), "-o", File("out.tif"),
                               "--method", "network", "--network", "mine"});
  EXPECT_THAT(result.err, HasSubstr("ANOTHER PSF"));
}

TEST_F(ModelsTest, FilesThatAreNoModelsAreRefused) {
  if (!unavailable_.empty()) GTEST_SKIP() << unavailable_;
  // A name that an error cannot tell as it is.
  const std::string header = "{\"" + std::string(2 << 20, 'x') + "\":{}}";
  std::string long_name(8, '\0');
  for (size_t i = 0; i < 8; ++i) long_name[i] = static_cast<char>(header.size() >> (8 * i));
  long_name += header;
  const std::vector<std::pair<std::string, std::string>> files = {
      {long_name, "more than 255 bytes in a name"},
      {"\x80\x04pickle", "pickle"},
      {"", "does not begin as a safetensors file"},
      {std::string(1000, '\xff'), "does not begin as a safetensors file"}};
  for (const auto& [bytes, said] : files) {
    std::ofstream(File("bad"), std::ios::binary) << bytes;
    const CliResult refused = server_.Cli({"models", "import", "bad", File("bad")});
    EXPECT_EQ(refused.exit.code, 3) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr(said));
    EXPECT_EQ(server_.Cli({"models", "show", "bad"}).exit.code, 3) << "nothing is kept";
  }
}

}  // namespace
}  // namespace deconvoy::testing
