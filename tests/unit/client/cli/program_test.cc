// Whole commands against a server inside the test process.
#include "client/cli/program.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "client/cpp/client.h"
#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

struct Result {
  int code = -1;
  std::string out, err;
};

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("DECONVOY_SERVER");
    Save("raw.tif", {1, 2, 3, 8, 9}, v1::F32);
    Save("psf.tif", {1, 1, 3, 5, 5}, v1::F32);
  }
  void TearDown() override { unsetenv("XDG_CONFIG_HOME"); }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  void Save(const std::string& name, const Shape5& shape, v1::VoxelType type) {
    v1::VolumeSpec spec;
    *spec.mutable_shape() = ToProto(shape);
    spec.set_type(type);
    spec.mutable_voxel_size()->set_z_um(0.2);
    spec.mutable_voxel_size()->set_y_um(0.1);
    spec.mutable_voxel_size()->set_x_um(0.1);
    ASSERT_OK_AND_ASSIGN(const auto writer, imageio::CreateImage(File(name), spec, {}));
    std::vector<float> plane(static_cast<size_t>(shape.y * shape.x));
    for (int64_t i = 0; i < shape.t * shape.c * shape.z; ++i) {
      for (float& value : plane) value = static_cast<float>(i) + 1;
      ASSERT_OK(writer->WritePlane(
          std::as_bytes(std::span(plane)).first(static_cast<size_t>(shape.y * shape.x * BytesPerVoxel(type)))));
    }
    ASSERT_OK(writer->Finish());
  }

  Result Run(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    Program program{.console = {.out = out, .err = err}};
    arguments.insert(arguments.begin(), "deconvoy");
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    Result result;
    result.code = RunProgram(program, static_cast<int>(pointers.size()), pointers.data());
    result.out = out.str();
    result.err = err.str();
    return result;
  }

  // The same with the fake server.
  Result Served(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", service_.address()});
    return Run(arguments);
  }

  Result RunJob(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"run", File("raw.tif"), "--psf", File("psf.tif"), "-o", File("out.tif")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  }

  testing::TemporaryFolder folder_;
  FakeService service_;
};

TEST_F(ProgramTest, WrongCommandLinesExitWith2AndSuggest) {
  const Result verb = Run({"rnu", "x"});
  EXPECT_EQ(verb.code, 2);
  EXPECT_EQ(verb.err, "deconvoy: unknown command 'rnu'.\n  Did you mean `run`? See `deconvoy --help`.\n");
  const Result option = Run({"run", "x", "-o", "y", "--boundry", "extend"});
  EXPECT_EQ(option.code, 2);
  EXPECT_EQ(option.err,
            "deconvoy: unknown option '--boundry'.\n  Did you mean `--boundary`? See `deconvoy run --help`.\n");
  const Result nothing = Run({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("deconvoy --help"));
  EXPECT_EQ(Run({"run", "x"}).code, 2) << "no output";
  EXPECT_EQ(Run({"jobs"}).code, 2) << "no server";
  EXPECT_EQ(Run({"run", "x", "--psf", "y", "-o", "z.tif", "--keep", "--local"}).code, 2) << "nothing to keep it on";
  EXPECT_EQ(Run({"simulate", "-o", "x", "--shape", "1,2"}).code, 2);
}

TEST_F(ProgramTest, WrongCommandLinesAreExplainedInOurOwnWords) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--json", "methods"},
       "the option '--json' stands before the command.\n  Options come after it: deconvoy methods --json.\n"},
      {{"--server", "a:1", "jobs"},
       "the option '--server' stands before the command.\n  Options come after it: deconvoy jobs --server.\n"},
      {{"run"}, "INPUT and --output FILE are missing.\n  See `deconvoy run --help`.\n"},
      {{"run", "x", "-o"}, "--output FILE needs one value, once.\n  See `deconvoy run --help`.\n"},
      {{"run", "x", "-o", "y", "--dtype", "u166"},
       "--dtype 'u166' is none of f32, u16, same.\n  Did you mean `u16`? See `deconvoy run --help`.\n"},
      {{"run", "x", "-o", "y", "--offset", "abc"}, "--offset 'abc' is not a number.\n  See `deconvoy run --help`.\n"},
      {{"simulate", "-o", "x", "--shape", "1,1,1", "--seed", "x"},
       "--seed 'x' is not a whole number.\n  See `deconvoy simulate --help`.\n"},
      {{"jobs", "--limit", "0"}, "--limit '0' is not a number from 1 to 100000.\n  See `deconvoy jobs --help`.\n"},
      {{"simulate", "-o", "x", "--shape", "1,1,1", "--photons", "0"},
       "--photons '0' is not a number above 0.\n  See `deconvoy simulate --help`.\n"},
      {{"run", "x", "-o", "y", "--local", "--server", "a:1"},
       "--server and --local exclude each other.\n  Leave one out. See `deconvoy run --help`.\n"},
      {{"jobs", "extra"}, "unknown argument 'extra'.\n  See `deconvoy jobs --help`.\n"},
      {{"help", "rnu"}, "unknown command 'rnu'.\n  Did you mean `run`? See `deconvoy --help`.\n"},
  };
  for (const auto& [arguments, text] : cases) {
    const Result result = Run(arguments);
    EXPECT_EQ(result.code, 2) << text;
    EXPECT_EQ(result.err, "deconvoy: " + text);
  }
}

TEST_F(ProgramTest, HelpIsTheSameInEveryForm) {
  EXPECT_EQ(Run({"help"}).out, Run({"--help"}).out);
  EXPECT_EQ(Run({"help", "run"}).out, Run({"run", "--help"}).out);
  EXPECT_EQ(Run({"help", "run"}).code, 0);
  EXPECT_EQ(Run({"--version"}).out, Run({"version"}).out);
  EXPECT_EQ(Run({"--version"}).code, 0);
}

TEST_F(ProgramTest, HelpGoesToStandardOutput) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"--help"}, {"run", "--help"}, {"run", "-h"}}) {
    const Result help = Run(arguments);
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("Examples:"));
    EXPECT_EQ(help.err, "");
  }
}

TEST_F(ProgramTest, RunWritesTheResultAndLeavesNothingOnTheServer) {
  const Result result = RunJob();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("wrote " + File("out.tif") + ": 2 x 3 x 8 x 9 f32"));
  ASSERT_OK_AND_ASSIGN(const auto image, imageio::OpenImage(File("out.tif")));
  EXPECT_EQ(image->spec().shape().c(), 2u);
  EXPECT_DOUBLE_EQ(image->spec().voxel_size().z_um(), 0.2);
  std::vector<float> plane(72);
  ASSERT_OK(image->ReadPlane(0, 1, 2, std::as_writable_bytes(std::span(plane))));
  EXPECT_THAT(plane, Each(6.0f));
  EXPECT_THAT(service_.jobs(), SizeIs(0));
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(ProgramTest, RunKeepsWhatItIsAskedToKeep) {
  const Result result = RunJob({"--keep"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(service_.jobs(), SizeIs(1));
  EXPECT_THAT(service_.volumes(), SizeIs(3));
  EXPECT_THAT(result.err, HasSubstr(service_.jobs().begin()->first));
}

TEST_F(ProgramTest, RunSendsVoxelSizesOfTheCommandLine) {
  const Result result = RunJob({"--keep", "--voxel-um", "0.5,0.2,0.2", "--psf-voxel-um", "0.5,0.2,0.2"});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const auto& [name, volume] : service_.volumes())
    EXPECT_EQ(volume.volume.spec().voxel_size().z_um(), 0.5) << name;
}

TEST_F(ProgramTest, DifferentVoxelSizesAreRefusedBeforeAnythingIsSent) {
  const Result result = RunJob({"--psf-voxel-um", "0.5,0.2,0.2"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("0.5"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, WithoutAPsfTheErrorExplains) {
  const Result result = Served({"run", File("raw.tif"), "-o", File("out.tif")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--psf"));
}

TEST_F(ProgramTest, AnInputIsNeverOverwritten) {
  const Result result = Served({"run", File("raw.tif"), "--psf", File("psf.tif"), "-o", File("psf.tif")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("psf.tif"));
}

TEST_F(ProgramTest, UnknownMethodsAndParametersAreRefusedBeforeTheUpload) {
  v1::Method method;
  method.set_name("rl");
  method.add_parameters()->set_name("acceleration");
  method.mutable_parameters(0)->set_type(v1::CHOICE);
  method.mutable_parameters(0)->add_choices()->set_name("none");
  method.mutable_parameters(0)->set_default_value("none");
  service_.SetMethods({method});
  const Result unknown = RunJob({"--method", "rll"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("Did you mean 'rl'?"));
  const Result parameter = RunJob({"--set", "acceleratoin=none"});
  EXPECT_EQ(parameter.code, 2);
  EXPECT_THAT(parameter.err, HasSubstr("acceleration"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  EXPECT_EQ(RunJob({"--set", "acceleration=none"}).code, 0);
}

// A method as a worker describes it.
v1::Method RichardsonLucy() {
  v1::Method method;
  method.set_name("rl");
  method.add_boundaries(v1::EXTEND);
  method.add_boundaries(v1::PERIODIC);
  method.add_backends("cpu");
  v1::Parameter& iterations = *method.add_parameters();
  iterations.set_name("iterations");
  iterations.set_type(v1::INTEGER);
  iterations.set_minimum(1);
  iterations.set_maximum(10000);
  iterations.set_default_value("30");
  return method;
}

TEST_F(ProgramTest, WhatNeedsNoVoxelIsRefusedBeforeTheUpload) {
  service_.SetMethods({RichardsonLucy()});
  const auto refused = [this](const std::vector<std::string>& options, int code) {
    const Result result = RunJob(options);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(service_.calls("Volumes.Create"), 0) << options[0];
    return result.err;
  };
  EXPECT_THAT(refused({"--iterations", "99999999999999999999"}, 2), HasSubstr("a whole number from 1 to 10000"));
  EXPECT_THAT(refused({"--iterations", "-2"}, 2), HasSubstr("a whole number from 1 to 10000"));
  EXPECT_THAT(refused({"--boundary", "mirror"}, 2), HasSubstr("extend, periodic"));
  EXPECT_THAT(refused({"--backend", "cuda"}, 7), HasSubstr("only on cpu"));
  EXPECT_THAT(refused({"--tile", "3,4,4", "--boundary", "periodic"}, 3), HasSubstr("periodic"));
  EXPECT_THAT(refused({"--tile", "3,8,99"}, 3), HasSubstr("3 x 8 x 9"));
  EXPECT_THAT(refused({"--psf-centre", "1,2,5"}, 3), HasSubstr("from 0,0,0 to 2,4,4"));
  EXPECT_EQ(RunJob({"--tile", "3,8,9", "--boundary", "periodic", "--backend", "cpu", "--psf-centre", "2,4,4"}).code, 0);
}

// A stack of ImageJ's kind for large files: one directory, then planes of 4 MiB one after the other, all holes.
void SaveHoles(const std::string& path, uint32_t planes) {
  const std::string text = fmt::format("ImageJ=1.53t\nimages={0}\nslices={0}\n", planes);
  const std::vector<std::array<uint32_t, 4>> entries = {
      {256, 4, 1, 2048},   {257, 4, 1, 2048}, {258, 3, 1, 8},
      {259, 3, 1, 1},      {262, 3, 1, 1},    {270, 2, static_cast<uint32_t>(text.size()), 512},
      {273, 4, 1, 1024},   {277, 3, 1, 1},    {278, 4, 1, 2048},
      {279, 4, 1, 1 << 22}};
  std::string bytes("II*\0\10\0\0\0", 8);
  const auto put = [&bytes](uint32_t value, int width) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(static_cast<uint32_t>(entries.size()), 2);
  for (const auto& [tag, type, count, value] : entries) {
    put(tag, 2);
    put(type, 2);
    put(count, 4);
    put(value, 4);
  }
  bytes.resize(512);
  std::ofstream(path, std::ios::binary) << bytes << text;
  std::filesystem::resize_file(path, 1024 + (uintmax_t{planes} << 22));
}

TEST_F(ProgramTest, ADiskTooSmallForTheResultIsSaidBeforeTheUpload) {
  constexpr uint32_t kPlanes = 1'000'000;  // a result of 17 TB
  SaveHoles(File("holes.tif"), kPlanes);
  if (std::filesystem::space(folder_.path()).available > uintmax_t{kPlanes} << 24) GTEST_SKIP() << "a very large disk";
  const Result result = Served({"run", File("holes.tif"), "--psf", File("psf.tif"), "-o", File("out.tif")});
  EXPECT_EQ(result.code, 7);
  EXPECT_THAT(result.err, HasSubstr("out.tif: cannot be written: 1677"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, APsfLargerThanTheImageIsAskedAbout) {
  Save("large.tif", {1, 1, 5, 11, 11}, v1::F32);
  const Result swapped = Served({"run", File("raw.tif"), "--psf", File("large.tif"), "-o", File("out.tif")});
  EXPECT_THAT(swapped.err, HasSubstr("warning: the PSF large.tif (5 x 11 x 11 f32) is larger than the image raw.tif"));
  EXPECT_THAT(RunJob().err, Not(HasSubstr("larger")));
}

TEST_F(ProgramTest, ARefusedSimulationLeavesNoFolder) {
  const auto simulate = [this](const std::string& folder, const std::string& shape) {
    return Served({"simulate", "-o", folder, "--shape", shape}).code;
  };
  EXPECT_EQ(simulate(File("new/deep"), "1000000,1000,4000"), 7) << "no disk has room for it";
  EXPECT_FALSE(std::filesystem::exists(File("new")));
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::OUT_OF_MEMORY}, "no tile fits"));
  EXPECT_EQ(simulate(File("new/deep"), "4,8,8"), 7);
  EXPECT_FALSE(std::filesystem::exists(File("new")));
  std::filesystem::create_directory(File("old"));
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::OUT_OF_MEMORY}, "no tile fits"));
  EXPECT_EQ(simulate(File("old"), "4,8,8"), 7);
  EXPECT_TRUE(std::filesystem::exists(File("old")));
}

TEST_F(ProgramTest, ASimulationNeverReplacesItsPsf) {
  Save("psf.ome.tif", {1, 1, 3, 5, 5}, v1::F32);
  const Result result =
      Served({"simulate", "-o", folder_.path().string(), "--shape", "4,8,8", "--psf", File("psf.ome.tif")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("also the PSF"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, OutputsThatAreNoFilesToBe) {
  const auto output = [this](const std::string& name) {
    const Result result = Served({"run", File("raw.tif"), "--psf", File("psf.tif"), "-o", name});
    EXPECT_EQ(result.code, 3) << name;
    return result.err;
  };
  EXPECT_THAT(output(folder_.path().string()), HasSubstr("is a folder, not a file"));
  EXPECT_THAT(output(folder_.path().string() + "/"), HasSubstr("/result.tif"));
  EXPECT_THAT(output(File("out")), HasSubstr("has no extension"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, AFailedJobExitsWith5AndNothingIsWritten) {
  service_.SetOutcome(MakeError({.reason = v1::ATTEMPTS_EXHAUSTED, .remedy = "see the log"}, "tile 3 failed 4 times"));
  const Result result = RunJob();
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("tile 3 failed 4 times.\n  See the log.\n"));
  EXPECT_FALSE(std::filesystem::exists(File("out.tif")));
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(ProgramTest, ARefusalExitsWith7) {
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::OUT_OF_MEMORY}, "no tile fits"));
  EXPECT_EQ(RunJob().code, 7);
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(ProgramTest, AServerOfAnotherContractExitsWith4) {
  service_.SetContractVersion(2);
  EXPECT_EQ(RunJob().code, 4);
}

TEST_F(ProgramTest, FindingsAreSaidOnce) {
  v1::JobEvent event;
  event.mutable_finding()->set_severity(v1::WARNING);
  event.mutable_finding()->set_message("the PSF is cut off");
  service_.SetEvents({event, event});
  const Result result = RunJob();
  const size_t first = result.err.find("warning: the PSF is cut off");
  ASSERT_NE(first, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("warning: the PSF is cut off", first + 1), std::string::npos);
}

TEST_F(ProgramTest, JsonIsOneObjectPerLine) {
  v1::JobEvent event;
  event.mutable_progress()->set_iterations_total(30);
  service_.SetEvents({event});
  const Result result = RunJob({"--json"});
  EXPECT_EQ(result.code, 0);
  std::istringstream lines(result.out);
  nlohmann::json last;
  bool progress = false;
  for (std::string line; std::getline(lines, line);) {
    last = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(last.is_object()) << line;
    progress = progress || last.value("iterations_total", 0) == 30;
  }
  EXPECT_TRUE(progress) << result.out;
  EXPECT_EQ(last["event"], "result");
  EXPECT_EQ(last["job"]["state"], "SUCCEEDED");
  EXPECT_EQ(result.err, "");
}

TEST_F(ProgramTest, JsonErrorsAreObjectsToo) {
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::BAD_PSF}, "the PSF is zero"));
  const Result result = RunJob({"--json", "--quiet"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("deconvoy: the PSF is zero.\n"));
  const size_t last = result.out.rfind("{\"code\"");
  ASSERT_NE(last, std::string::npos) << result.out;
  EXPECT_EQ(nlohmann::json::parse(result.out.substr(last))["reason"], "BAD_PSF");
}

TEST_F(ProgramTest, QuietSaysNothing) {
  const Result result = RunJob({"--quiet"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out + result.err, "");
}

TEST_F(ProgramTest, SubmitPrintsTheNameAndFetchTakesIt) {
  Result submitted = Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--quiet"});
  EXPECT_EQ(submitted.code, 0) << submitted.err;
  submitted.out.pop_back();
  EXPECT_THAT(submitted.out, StartsWith("jobs/"));
  EXPECT_EQ(Served({"fetch", submitted.out, "-o", File("early.tif")}).code, 7) << "it has not ended";
  EXPECT_EQ(Served({"watch", submitted.out}).code, 0);
  EXPECT_EQ(Served({"fetch", submitted.out, "-o", File("late.tif")}).code, 0);
  EXPECT_OK(imageio::OpenImage(File("late.tif")));
  const Result role = Served({"fetch", submitted.out, "-o", File("x.tif"), "--role", "truth"});
  EXPECT_EQ(role.code, 3);
  EXPECT_THAT(role.err, HasSubstr("estimate"));
}

TEST_F(ProgramTest, SubmitAndWatchSayHowToGoOn) {
  const Result submitted = Served({"submit", File("raw.tif"), "--psf", File("psf.tif")});
  const std::string name = service_.jobs().begin()->first;
  EXPECT_EQ(submitted.out, name + "\n") << "the name alone is for scripts";
  for (const char* verb : {"watch ", "fetch ", "cancel "})
    EXPECT_THAT(submitted.err, HasSubstr("deconvoy " + (verb + name)));
  EXPECT_THAT(submitted.err, HasSubstr("deconvoy watch " + name + " --server " + service_.address()));
  EXPECT_THAT(Served({"watch", name}).err, HasSubstr("deconvoy fetch " + name + " -o out.tif"));
  const Result json = Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--json"});
  EXPECT_EQ((json.out + json.err).find("deconvoy watch"), std::string::npos);
}

TEST_F(ProgramTest, DeletingAJobFreesWhatNoOtherJobUses) {
  const std::vector<std::string> submit = {"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"};
  ASSERT_EQ(Served(submit).code, 0);
  const std::string first = service_.jobs().begin()->first;
  EXPECT_THAT(service_.volumes(), SizeIs(3));
  const Result removed = Served({"job", first, "--delete"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_THAT(removed.out, StartsWith("removed " + first));
  EXPECT_THAT(service_.volumes(), IsEmpty());

  ASSERT_EQ(Served(submit).code, 0);
  service_.FailNext("Volumes.Delete", 1, MakeError({.reason = v1::VOLUME_IN_USE}, "jobs/other reads it"));
  const Result kept = Served({"job", service_.jobs().begin()->first, "--delete"});
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_THAT(kept.out, HasSubstr("stays: jobs/other reads it"));
  EXPECT_THAT(service_.volumes(), SizeIs(1));
}

TEST_F(ProgramTest, DeletingAJobLeavesTheResultOfAnother) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const v1::Job first = service_.jobs().begin()->second;
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(service_.address()));
  v1::JobSpec spec = first.spec();
  spec.mutable_deconvolve()->set_input_volume(first.outputs(0).volume());
  ASSERT_OK_AND_ASSIGN(const v1::Job second, client.Submit(spec));
  ASSERT_OK(client.Watch(second.name(), 0));
  const Result removed = Served({"job", second.name(), "--delete"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_THAT(removed.out, HasSubstr(first.outputs(0).volume() + " stays: " + first.name() + " uses it too"));
  EXPECT_THAT(service_.volumes(), SizeIs(3));
}

TEST_F(ProgramTest, PicturesAreRefusedBeforeAnythingIsSent) {
  const Result jpeg = Served({"picture", File("raw.tif"), "-o", File("x.jpg")});
  EXPECT_EQ(jpeg.code, 3);
  EXPECT_THAT(jpeg.err, HasSubstr("Choose a name that ends with .png."));
  const Result nowhere = Served({"picture", File("raw.tif"), "-o", File("none/x.png")});
  EXPECT_EQ(nowhere.code, 3);
  EXPECT_THAT(nowhere.err, HasSubstr("none"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, SubmitWaitsForTheFirstWorker) {
  service_.SetWorkers(0);
  std::jthread starter([this] {
    while (service_.calls("Admin.ListWorkers") < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    service_.SetWorkers(1);
  });
  EXPECT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
}

TEST_F(ProgramTest, JobsAreListedShownCancelledAndDeleted) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
  const std::string name = service_.jobs().begin()->first;
  EXPECT_THAT(Served({"jobs"}).out, HasSubstr(name));
  EXPECT_THAT(Served({"jobs", "--json"}).out, HasSubstr("\"name\":\"" + name + "\""));
  EXPECT_THAT(Served({"job", name}).out, HasSubstr("state: pending"));
  EXPECT_THAT(Served({"job", name.substr(5)}).out, HasSubstr(name)) << "the id alone will do";
  EXPECT_THAT(Served({"cancel", name}).out, HasSubstr("cancelled"));
  EXPECT_EQ(Served({"watch", name}).code, 6);
  EXPECT_EQ(Served({"job", name, "--delete"}).code, 0);
  EXPECT_EQ(Served({"job", name}).code, 3);
  EXPECT_THAT(Served({"workers"}).out, HasSubstr("workers/w0"));
}

TEST_F(ProgramTest, VersionOfBothSides) {
  EXPECT_THAT(Run({"version"}).out, StartsWith("deconvoy " DECONVOY_VERSION));
  EXPECT_THAT(Served({"version"}).out, HasSubstr("deconvoyd 9.8.7"));
  const auto json = nlohmann::json::parse(Served({"version", "--json"}).out);
  EXPECT_EQ(json["server"]["version"], "9.8.7");
  EXPECT_EQ(Run({"version", "--server", "unix:/nonexistent"}).code, 4);
}

TEST_F(ProgramTest, MethodsOfAServer) {
  v1::Method method;
  method.set_name("rl");
  method.set_title("Richardson-Lucy");
  v1::Parameter& parameter = *method.add_parameters();
  parameter.set_name("iterations");
  parameter.set_type(v1::INTEGER);
  parameter.set_minimum(1);
  parameter.set_maximum(10000);
  parameter.set_default_value("30");
  service_.SetMethods({method});
  EXPECT_THAT(Served({"methods"}).out, HasSubstr("Richardson-Lucy"));
  EXPECT_THAT(Served({"methods", "rl"}).out, HasSubstr("1 to 10000"));
  EXPECT_EQ(nlohmann::json::parse(Served({"methods", "rl", "--json"}).out)["parameters"][0]["default_value"], "30");
  EXPECT_EQ(Served({"methods", "lr"}).code, 2);
}

TEST_F(ProgramTest, CompareGivesFigures) {
  Save("same.tif", {1, 2, 3, 8, 9}, v1::F32);
  const Result result = Run({"compare", File("raw.tif"), File("same.tif"), "--json"});
  EXPECT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["nrmse"], 0.0);
  EXPECT_EQ(json["psnr"], "inf");
  EXPECT_EQ(json["flux_ratio"], 1.0);
  EXPECT_EQ(Run({"compare", File("raw.tif"), File("psf.tif")}).code, 3);
}

}  // namespace
}  // namespace deconvoy::client
