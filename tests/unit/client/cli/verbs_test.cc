// Help, wrong command lines, and the verbs that look at what there is, as whole commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

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
  EXPECT_EQ(Run({"jobs", "--server", "localhost"}).code, 2) << "no address";
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

TEST_F(ProgramTest, DeletingAJobLeavesThePsfThatAnotherChecks) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const v1::Job first = service_.jobs().begin()->second;
  const std::string psf = first.spec().deconvolve().psf_volume();
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(service_.address()));
  v1::JobSpec check;
  check.mutable_check_psf()->set_psf_volume(psf);
  ASSERT_OK_AND_ASSIGN(const v1::Job second, client.Submit(check));
  ASSERT_OK(client.Watch(second.name(), 0));
  EXPECT_THAT(Served({"job", first.name(), "--delete"}).out,
              HasSubstr(psf + " stays: " + second.name() + " uses it too"));
  EXPECT_THAT(service_.volumes(), SizeIs(1));
  EXPECT_EQ(Served({"job", second.name(), "--delete"}).code, 0);
  EXPECT_THAT(service_.volumes(), IsEmpty());
}

TEST_F(ProgramTest, TheSameStackIsSubmittedWithoutBeingSentAgain) {
  const std::vector<std::string> submit = {"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"};
  ASSERT_EQ(Served(submit).code, 0);
  const uint64_t chunks = service_.chunks_received();
  const Result again = Served(submit);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("raw.tif is on the server already: volumes/"));
  EXPECT_EQ(service_.chunks_received(), chunks);
  EXPECT_THAT(service_.jobs(), SizeIs(2));
  EXPECT_THAT(service_.volumes(), SizeIs(4)) << "image, PSF and two results";
}

TEST_F(ProgramTest, MoreFramesThanAnAnalysisTellsOfAreRefusedBeforeTheyAreSent) {
  Save("long.tif", {10'001, 1, 1, 2, 2}, v1::U8);
  const Result submitted = Served({"submit", File("long.tif"), "--psf", File("psf.tif")});
  EXPECT_EQ(submitted.code, 3) << submitted.err;
  EXPECT_THAT(submitted.err, HasSubstr("10001 frames"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(ProgramTest, AStackThatIsRemovedBeforeItsJobIsThereIsSentAnew) {
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::NOT_FOUND}, "there is no volume"));
  const Result submitted = Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"});
  EXPECT_EQ(submitted.code, 0) << submitted.err;
  EXPECT_EQ(service_.calls("Jobs.Submit"), 2);
  service_.FailNext("Jobs.Submit", 2, MakeError({.reason = v1::NOT_FOUND}, "there is no volume"));
  EXPECT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 3) << "but only once";
}

TEST_F(ProgramTest, ARefusedJobLeavesTheVolumesOfOthers) {
  const std::vector<std::string> submit = {"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"};
  ASSERT_EQ(Served(submit).code, 0);
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::QUOTA_EXCEEDED}, "the quota is 1 jobs"));
  const Result refused = Served(submit);
  EXPECT_EQ(refused.code, 7) << refused.err;
  EXPECT_THAT(service_.volumes(), SizeIs(3)) << "those of the first job";
}

TEST_F(ProgramTest, VolumesAreListedShownAndDeleted) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const std::string first = service_.volumes().begin()->first;
  const Result list = Served({"volumes"});
  EXPECT_EQ(list.code, 0) << list.err;
  for (const auto& [name, volume] : service_.volumes()) EXPECT_THAT(list.out, HasSubstr(name));
  EXPECT_THAT(list.out, HasSubstr("EXPIRES"));
  const Result shown = Served({"volumes", "show", first.substr(first.find('/') + 1)});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr(first));
  const Result wrong = Served({"volumes", "delete"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(Served({"volumes", "show"}).code, 2);
  EXPECT_EQ(Served({"volumes", "burn", first}).code, 2);
  const Result gone = Served({"volumes", "delete", "volumes/none", first});
  EXPECT_EQ(gone.code, 3) << "one of them was not there";
  EXPECT_THAT(gone.out, HasSubstr("removed " + first));
  EXPECT_THAT(service_.volumes(), SizeIs(2));
}

TEST_F(ProgramTest, PicturesAreRefusedBeforeAnythingIsSent) {
  const Result jpeg = Served({"picture", File("raw.tif"), "-o", File("x.jpg")});
  EXPECT_EQ(jpeg.code, 3);
  EXPECT_THAT(jpeg.err, HasSubstr("Choose a name that ends with .png."));
  const Result nowhere = Served({"picture", File("raw.tif"), "-o", File("none/x.png")});
  EXPECT_EQ(nowhere.code, 3);
  EXPECT_THAT(nowhere.err, HasSubstr("none"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  const Result curve = Served({"job", "jobs/none", "--curve", File("raw.tif")});
  EXPECT_EQ(curve.code, 3);
  EXPECT_THAT(curve.err, HasSubstr("a picture is written as PNG only"));
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
  EXPECT_THAT(Served({"workers"}).out, HasSubstr("  0-2,8  ")) << "the processors of its threads";
}

TEST_F(ProgramTest, WorkersTellTheGpuThatTheyComputeOn) {
  service_.SetWorkers(2);
  const std::string table = Served({"workers"}).out;
  EXPECT_THAT(table, HasSubstr("  cpu, 0 threads  "));
  EXPECT_THAT(table, HasSubstr("cuda, Card GPU-8c1f02ab (80.0 GB, CUDA 13.0)"));
  EXPECT_THAT(Served({"workers", "--json"}).out, HasSubstr("\"uuid\":\"GPU-8c1f02ab-1111\""));
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

TEST_F(ProgramTest, WhatATrainingCannotBeIsSaidBeforeAnythingIsSent) {
  const auto train = [this](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"models",      "train",    "clean",      "--psf",
                                          "volumes/psf", "--server", "localhost:1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  };
  const Result noise = train({"--least-noise", "0.1"});
  EXPECT_EQ(noise.code, 2);
  EXPECT_THAT(noise.err, HasSubstr("--least-noise is given where no noise is to be taken out"));
  const Result range = train({"--target", "denoise", "--least-noise", "0.5", "--most-noise", "0.1"});
  EXPECT_EQ(range.code, 2);
  EXPECT_THAT(range.err, HasSubstr("--most-noise is 0.1, below"));
  EXPECT_THAT(train({"--specimens", "4097"}).err, HasSubstr("--specimens is 4097, more than 4096"));
  EXPECT_THAT(train({"--validation", "257"}).err, HasSubstr("--validation is 257, more than 256"));
  EXPECT_EQ(train({"--voxel-um", "0,1,1"}).code, 2);
}

TEST_F(ProgramTest, ASpreadNeedsModels) {
  const Result refused = RunJob({"--spread", File("spread.tif")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--spread is given without models"));
}

}  // namespace
}  // namespace deconvoy::client
