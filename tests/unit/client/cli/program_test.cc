// `run`, `submit`, `watch` and `fetch` as whole commands.
#include "client/cli/program.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

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

TEST_F(ProgramTest, MuchLargerVoxelsOfThePsfAreRefusedBeforeAnythingIsSent) {
  const Result result = RunJob({"--psf-voxel-um", "1.5,0.7,0.7"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("1.5"));
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

TEST_F(ProgramTest, ViewsAndDepthsThatCannotBeAreRefusedBeforeTheUpload) {
  v1::Method views = RichardsonLucy();
  views.set_joins_channels(true);
  service_.SetMethods({views});
  Save("raw.tif", {1, 2, 3, 8, 9}, v1::F32);
  const Result one = RunJob();
  EXPECT_EQ(one.code, 3);
  EXPECT_THAT(one.err, HasSubstr("needs a PSF for each view, but there are 1 for 2"));
  Save("psf.tif", {1, 2, 3, 5, 5}, v1::F32);
  const Result residual = RunJob({"--residual", File("residual.tif")});
  EXPECT_EQ(residual.code, 3);
  EXPECT_THAT(residual.err, HasSubstr("no map of the residual"));
  const Result depths = RunJob({"--psf-depths-um", "1"});
  EXPECT_EQ(depths.code, 3);
  EXPECT_THAT(depths.err, HasSubstr("cannot take PSFs of several depths"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  EXPECT_EQ(RunJob().code, 0);
}

TEST_F(ProgramTest, TheEstimatedPsfNeedsAFileOfItsOwn) {
  v1::Method blind = RichardsonLucy();
  blind.set_estimates_psf(true);
  service_.SetMethods({blind});
  for (const char* option : {"--residual", "--save-psf"}) {
    const Result result = RunJob({option, File("out.psf.tif")});
    EXPECT_EQ(result.code, 2) << option;
    EXPECT_THAT(result.err, HasSubstr("the estimated PSF is written to " + File("out.psf.tif")));
  }
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  service_.SetMethods({RichardsonLucy()});
  EXPECT_EQ(RunJob({"--save-psf", File("out.psf.tif")}).code, 0) << "nothing else is written there";
}

const std::vector<std::string> kWithoutPsf = {"--microscopy", "widefield", "--optics",
                                              "na=1.2,ri_immersion=1.333,emission_um=0.52"};

TEST_F(ProgramTest, AComputedPsfLeavesNoSteps) {
  for (const int64_t channels : {1, 2}) {
    Save("raw.tif", {1, channels, 3, 8, 9}, v1::F32);
    std::vector<std::string> submit = {"submit", File("raw.tif"), "--wait"};
    submit.insert(submit.end(), kWithoutPsf.begin(), kWithoutPsf.end());
    const Result submitted = Served(submit);
    ASSERT_EQ(submitted.code, 0) << submitted.err;
    EXPECT_EQ(service_.calls("Jobs.Submit"), channels == 1 ? 2 : 5);
    ASSERT_THAT(service_.jobs(), SizeIs(1)) << channels;
    EXPECT_THAT(service_.volumes(), SizeIs(3)) << "image, PSF and result of " << channels;
    const Result removed = Served({"job", service_.jobs().begin()->first, "--delete"});
    EXPECT_EQ(removed.code, 0) << removed.err;
    EXPECT_THAT(service_.volumes(), SizeIs(0)) << channels;
  }
}

TEST_F(ProgramTest, AComputedPsfHasTheModelAndAberrationsThatAreGiven) {
  std::vector<std::string> submit = {"submit", File("raw.tif"), "--wait"};
  submit.insert(submit.end(), kWithoutPsf.begin(), kWithoutPsf.end());
  std::vector<std::string> aberrated = submit;
  aberrated.insert(aberrated.end(), {"--model", "gibson-lanni", "--zernike", "11=0.05"});
  const Result submitted = Served(aberrated);
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  EXPECT_THAT(submitted.err, HasSubstr("with the model gibson-lanni"));
  const v1::Job job = service_.jobs().begin()->second;
  ASSERT_GE(job.spec().deconvolve().optics_size(), 1);
  for (const v1::Optics& optics : job.spec().deconvolve().optics()) {
    ASSERT_EQ(optics.zernike_size(), 1);
    EXPECT_EQ(optics.zernike(0).noll(), 11U);
    EXPECT_EQ(optics.zernike(0).rms_waves(), 0.05);
  }
  aberrated = submit;
  aberrated.insert(aberrated.end(), {"--model", "gaussian", "--zernike", "11=0.05"});
  const Result gaussian = Served(aberrated);
  EXPECT_EQ(gaussian.code, 2);
  EXPECT_THAT(gaussian.err, HasSubstr("a Gaussian has no aberrations"));
}

TEST_F(ProgramTest, TheWidthsOfAGaussianAreNotTheMicroscopes) {
  const Result submitted = Served({"submit", File("raw.tif"), "--wait", "--microscopy", "widefield", "--optics",
                                   "na=1.2,ri_immersion=1.333,emission_um=0.52,fwhm_um=0.3", "--model", "gaussian"});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  const v1::Job job = service_.jobs().begin()->second;
  ASSERT_GE(job.spec().deconvolve().optics_size(), 1);
  EXPECT_EQ(job.spec().deconvolve().optics(0).fwhm_um(), 0);
  EXPECT_EQ(job.spec().deconvolve().optics(0).na(), 1.2);
}

TEST_F(ProgramTest, AGivenPsfHasNoModel) {
  for (const char* verb : {"run", "submit", "preflight"}) {
    for (const auto& [option, value] : {std::pair("--model", "debye"), std::pair("--zernike", "11=0.05")}) {
      std::vector<std::string> arguments = {verb, File("raw.tif"), "--psf", File("psf.tif"), option, value};
      if (arguments.front() == "run") arguments.insert(arguments.end(), {"-o", File("out.tif")});
      const Result result = Served(arguments);
      EXPECT_EQ(result.code, 2) << verb << " " << option;
      EXPECT_THAT(result.err, HasSubstr(std::string(option) + " is for a PSF that is computed from optics"));
    }
  }
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, AComputedPsfThatCannotBeUsedIsRemoved) {
  service_.FailNext("Volumes.Create", 1, MakeError({.reason = v1::DISK_FULL}, "no room"));
  std::vector<std::string> submit = {"submit", File("raw.tif")};
  submit.insert(submit.end(), kWithoutPsf.begin(), kWithoutPsf.end());
  EXPECT_EQ(Served(submit).code, 7);
  EXPECT_THAT(service_.jobs(), SizeIs(0));
  EXPECT_THAT(service_.volumes(), SizeIs(0));
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

TEST_F(ProgramTest, ASimulationHasTheVoxelsOfItsPsf) {
  Save("thick.tif", {1, 1, 3, 5, 5}, v1::F32, 0.35);
  const auto simulate = [this](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"simulate", "-o", File("new"), "--shape", "4,8,8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  };
  const auto plane_um = [this] {
    const v1::JobSpec last = service_.submitted().back();
    return last.simulate().voxel_size().z_um();
  };
  simulate({"--psf", File("thick.tif")});
  EXPECT_NEAR(plane_um(), 0.35, 1e-9);
  simulate({});
  EXPECT_EQ(plane_um(), 0.2);
  const Result other = simulate({"--psf", File("thick.tif"), "--voxel-um", "0.5,0.1,0.1"});
  EXPECT_EQ(other.code, 3);
  EXPECT_THAT(other.err, HasSubstr("differ by 42.9 %"));
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

TEST_F(ProgramTest, SubmitWaitsForTheFirstWorker) {
  service_.SetWorkers(0);
  std::jthread starter([this] {
    while (service_.calls("Admin.ListWorkers") < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    service_.SetWorkers(1);
  });
  EXPECT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
}

}  // namespace
}  // namespace deconvoy::client
