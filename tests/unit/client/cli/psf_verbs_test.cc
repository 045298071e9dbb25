// The group `deconvoy psf`, and jobs with a PSF of the library, as whole commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/cli/psf_library.h"
#include "proto/contract/error.h"
#include "proto/contract/psf_library.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class PsfVerbsTest : public ProgramTest {
 protected:
  Result Add(const std::string& name, const std::string& source, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"psf", "add", name, source};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  }
};

TEST_F(PsfVerbsTest, TheGroupAloneShowsItsHelp) {
  const Result alone = Run({"psf"});
  EXPECT_EQ(alone.code, 0);
  EXPECT_EQ(alone.err, "");
  EXPECT_EQ(alone.out, Run({"psf", "--help"}).out);
  EXPECT_EQ(alone.out, Run({"help", "psf"}).out);
  for (const char* verb : {"generate", "distill", "check", "add", "list", "show", "remove"}) {
    EXPECT_THAT(alone.out, HasSubstr(std::string("\n  ") + verb + " ")) << verb;
    const Result help = Run({"psf", verb, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("deconvoy psf ") + verb));
    EXPECT_EQ(help.out, Run({"help", "psf", verb}).out);
  }
}

TEST_F(PsfVerbsTest, WrongCommandLinesAreExplained) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"psf", "genrate"},
       "unknown command 'psf genrate'.\n  Did you mean `psf generate`? See `deconvoy psf --help`.\n"},
      {{"psf", "-o", "x"}, "unknown option '-o'.\n  See `deconvoy psf --help`.\n"},
      {{"psf", "--json", "list"},
       "the option '--json' stands before the command.\n  Options come after it: deconvoy psf list --json.\n"},
      {{"psf", "list", "--jsn"}, "unknown option '--jsn'.\n  Did you mean `--json`? See `deconvoy psf list --help`.\n"},
      {{"psf", "distill", "x"}, "--output FILE is missing.\n  See `deconvoy psf distill --help`.\n"},
      {{"help", "psf", "ad"}, "unknown command 'psf ad'.\n  Did you mean `psf add`? See `deconvoy psf --help`.\n"},
      {{"distill", "x"}, "unknown command 'distill'.\n  See `deconvoy --help`.\n"},
      {{"check", "x"}, "unknown command 'check'.\n  See `deconvoy --help`.\n"},
  };
  for (const auto& [arguments, text] : cases) {
    const Result result = Run(arguments);
    EXPECT_EQ(result.code, 2) << text;
    EXPECT_EQ(result.err, "deconvoy: " + text);
  }
}

TEST_F(PsfVerbsTest, AFileIsKeptListedShownAndRemoved) {
  const Result added = Add("gfp", File("psf.tif"), {"--description", "beads \x1b of Monday"});
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_THAT(added.out, HasSubstr("kept as psfs/gfp@1\n"));
  EXPECT_THAT(service_.jobs(), IsEmpty()) << "the job that checked it has gone";
  EXPECT_EQ(service_.calls("Jobs.Submit"), 1);
  EXPECT_THAT(service_.volumes(), SizeIs(1));
  ASSERT_EQ(Add("gfp", File("psf.tif")).code, 0);
  EXPECT_EQ(service_.calls("Jobs.Submit"), 3) << "the version before is measured, too";

  const Result list = Served({"psf", "list", "gfp"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("psfs/gfp"));
  EXPECT_THAT(list.out, HasSubstr("1 x 3 x 5 x 5"));
  EXPECT_THAT(list.out, HasSubstr("beads \\x1B of Monday"));
  EXPECT_THAT(Served({"psf", "list", "--json"}).out, HasSubstr("\"name\":\"psfs/gfp/versions/2\""));
  EXPECT_EQ(Served({"psf", "list", "gfp@1"}).code, 2);

  const Result show = Served({"psf", "show", "gfp@1", "-o", File("back.tif")});
  EXPECT_EQ(show.code, 0) << show.err;
  EXPECT_THAT(show.out, StartsWith("psfs/gfp@1\n"));
  EXPECT_THAT(show.out, HasSubstr("voxels of 0.2 x 0.1 x 0.1 um"));
  EXPECT_THAT(show.out, HasSubstr("wrote " + File("back.tif")));
  EXPECT_EQ(Served({"psf", "show", "none"}).code, 3);

  EXPECT_EQ(Served({"psf", "remove", "gfp"}).code, 2) << "every version only when it is said";
  EXPECT_EQ(Served({"psf", "remove", "gfp@1", "--all"}).code, 2);
  EXPECT_THAT(Served({"psf", "remove", "gfp@1"}).out, HasSubstr("removed psfs/gfp@1"));
  EXPECT_THAT(service_.psfs(), SizeIs(1));
  EXPECT_EQ(Served({"psf", "remove", "gfp", "--all"}).code, 0);
  EXPECT_THAT(service_.psfs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), IsEmpty());
  EXPECT_THAT(Served({"psf", "list"}).out, HasSubstr("no PSFs"));
}

TEST_F(PsfVerbsTest, ACheckTakesThePsfAsAJobWouldTakeIt) {
  const std::vector<std::string> check = {"psf", "check", File("psf.tif"), "--psf-centre"};
  const auto with = [&check](const std::string& centre, const std::string& energy,
                             const std::string& background = "auto") {
    std::vector<std::string> arguments = check;
    arguments.insert(arguments.end(), {centre, "--psf-energy", energy, "--psf-background", background});
    return arguments;
  };
  service_.HoldJobs();
  service_.FailNext("Jobs.Watch", 1, MakeError({.reason = v1::NOT_FOUND}, "look at the job"));
  service_.FailNext("Jobs.Delete", 1, MakeError({.reason = v1::JOB_NOT_ENDED}, "look at the job"));
  Served(with("1,2,3", "0.9"));
  ASSERT_THAT(service_.jobs(), SizeIs(1));
  const v1::CheckPsfSpec spec = service_.jobs().begin()->second.spec().check_psf();
  EXPECT_EQ(spec.psf_centre(), v1::GIVEN);
  EXPECT_EQ(spec.psf_centre_voxel().x(), 3);
  EXPECT_EQ(spec.psf_energy(), 0.9);
  EXPECT_TRUE(spec.psf_background_auto());
  EXPECT_EQ(Served(with("middle", "0.9")).code, 2);
  EXPECT_EQ(Served(with("peak", "0")).code, 2);
  const Result range = Served(with("peak", "2"));
  EXPECT_EQ(range.code, 2);
  EXPECT_THAT(range.err, HasSubstr("--psf-energy is 2"));
  const Result word = Served(with("peak", "0.9", "some"));
  EXPECT_EQ(word.code, 2);
  EXPECT_THAT(word.err, HasSubstr("--psf-background 'some' is neither none, auto nor a number"));
  const Result negative = Served(with("peak", "0.9", "-1"));
  EXPECT_EQ(negative.code, 2);
  EXPECT_THAT(negative.err, HasSubstr("--psf-background is -1"));
}

TEST_F(PsfVerbsTest, OpticsAreKeptWithIt) {
  const Result added =
      Add("gfp", File("psf.tif"),
          {"--optics", "na=1.4,emission_um=0.52,ri_immersion=1.515", "--microscopy", "widefield", "--unchecked"});
  ASSERT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(service_.calls("Jobs.Submit"), 0) << "--unchecked";
  const v1::Psf psf = service_.psfs().begin()->second;
  ASSERT_EQ(psf.optics_size(), 1);
  EXPECT_EQ(psf.optics(0).na(), 1.4);
  EXPECT_EQ(psf.microscopy(), v1::WIDEFIELD);
  EXPECT_THAT(Served({"psf", "show", "gfp"}).out, HasSubstr("na 1.4"));
  EXPECT_THAT(Served({"psf", "list"}).out, HasSubstr("widefield, na 1.4"));
  EXPECT_EQ(Add("dapi", File("psf.tif"), {"--optics", "na=1.4,emission_um=520", "--microscopy", "widefield"}).code, 2);
}

TEST_F(PsfVerbsTest, WhatCannotBeKeptLeavesNothing) {
  EXPECT_EQ(Add("GFP", File("psf.tif")).code, 2);
  EXPECT_EQ(Add("gfp@1", File("psf.tif")).code, 2) << "the server gives numbers";
  EXPECT_EQ(Add("gfp", File("none.tif")).code, 3);
  EXPECT_EQ(Add("gfp", "volumes/none").code, 3);
  EXPECT_EQ(Add("gfp", "jobs/none").code, 3);
  EXPECT_EQ(Run({"psf", "add", "gfp", File("psf.tif")}).code, 2) << "no server";
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  service_.SetOutcome(MakeError({.reason = v1::BAD_PSF}, "the PSF has only zeros"));
  const Result bad = Add("gfp", File("psf.tif"));
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, HasSubstr("the PSF has only zeros"));
  EXPECT_THAT(service_.psfs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), IsEmpty());
  EXPECT_THAT(service_.jobs(), IsEmpty());
}

TEST_F(PsfVerbsTest, ARunUsesTheLibrary) {
  ASSERT_EQ(Add("gfp", File("psf.tif"), {"--unchecked"}).code, 0);
  ASSERT_EQ(Add("gfp", File("psf.tif"), {"--unchecked"}).code, 0);
  const std::vector<std::string> run = {"run", File("raw.tif"), "-o", File("out.tif"), "--keep", "--psf"};
  const auto with = [&run](const std::string& psf) {
    std::vector<std::string> arguments = run;
    arguments.push_back(psf);
    return arguments;
  };
  const Result newest = Served(with("psfs/gfp"));
  ASSERT_EQ(newest.code, 0) << newest.err;
  EXPECT_EQ(service_.jobs().begin()->second.spec().deconvolve().psf_volume(), "psfs/gfp/versions/2");
  ASSERT_EQ(Served(with("psfs/gfp@1")).code, 0);
  EXPECT_EQ(service_.jobs().rbegin()->second.spec().deconvolve().psf_volume(), "psfs/gfp/versions/1");
  EXPECT_EQ(service_.psfs().size(), 2U);

  const Result none = Served(with("psfs/gfp@7"));
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.err, HasSubstr("psfs/gfp/versions/7"));
  std::vector<std::string> voxel = with("psfs/gfp");
  voxel.insert(voxel.end(), {"--psf-voxel-um", "1,1,1"});
  EXPECT_EQ(Served(voxel).code, 2);
  const Result file = Served(with("psfs/gfp.tif"));
  EXPECT_EQ(file.code, 3);
  EXPECT_THAT(file.err, HasSubstr("psfs/gfp.tif")) << "no name of a PSF, but one of a file";
}

TEST_F(PsfVerbsTest, APsfOfTheLibraryMustSuitTheImage) {
  Save("other.tif", {1, 2, 3, 5, 5}, v1::F32);
  ASSERT_EQ(Add("two-colours", File("other.tif"), {"--unchecked"}).code, 0);
  const Result result = Served({"run", File("raw.tif"), "-o", File("out.tif"), "--psf", "psfs/two-colours"});
  EXPECT_EQ(result.code, 0) << result.err << "raw.tif has two channels as well";
  Save("one.tif", {1, 1, 3, 8, 9}, v1::F32);
  const Result wrong = Served({"run", File("one.tif"), "-o", File("out.tif"), "--psf", "psfs/two-colours"});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_EQ(service_.calls("Jobs.Submit"), 1);
}

TEST_F(PsfVerbsTest, DeletingAJobLeavesItsKeptPsf) {
  ASSERT_EQ(Add("gfp", File("psf.tif"), {"--unchecked"}).code, 0);
  const std::string kept = service_.psfs().begin()->second.volume();
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", kept.c_str(), "--wait"}).code, 3) << "no file";
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const v1::Job job = service_.jobs().begin()->second;
  ASSERT_EQ(Add("dapi", job.spec().deconvolve().psf_volume(), {"--unchecked"}).code, 0);
  const Result removed = Served({"job", job.name(), "--delete"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_THAT(removed.out, HasSubstr(job.spec().deconvolve().psf_volume() + " stays: "));
  EXPECT_THAT(removed.out, HasSubstr("psfs/dapi/versions/1"));
  EXPECT_THAT(service_.volumes(), SizeIs(2));
}

TEST_F(PsfVerbsTest, ThePsfOfAJobIsFetchedWithItsResult) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const std::string job = service_.jobs().begin()->first;
  const Result fetched = Served({"fetch", job, "-o", File("out.tif"), "--save-psf", File("used.tif")});
  EXPECT_EQ(fetched.code, 0) << fetched.err;
  EXPECT_THAT(fetched.out, HasSubstr("wrote " + File("used.tif") + ": the PSF, 3 x 5 x 5 f32"));
  EXPECT_EQ(Served({"fetch", job, "-o", File("out.tif"), "--save-psf", File("none/used.tif")}).code, 3);
  EXPECT_EQ(Served({"fetch", job, "-o", File("out.tif"), "--save-psf", File("out.tif")}).code, 2);
}

TEST_F(PsfVerbsTest, AComputedPsfIsKeptOnRequest) {
  const std::vector<std::string> generate = {"psf",        "generate",
                                             "-o",         File("made.tif"),
                                             "--optics",   "na=1.2,ri_immersion=1.333,emission_um=0.52",
                                             "--voxel-um", "0.25,0.1,0.1",
                                             "--shape",    "3,5,5",
                                             "--keep",     "water"};
  const Result made = Served(generate);
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("kept as psfs/water@1"));
  const v1::Psf psf = service_.psfs().begin()->second;
  EXPECT_EQ(psf.optics(0).na(), 1.2);
  EXPECT_THAT(service_.volumes(), SizeIs(1));
  EXPECT_THAT(service_.jobs(), IsEmpty());
  std::vector<std::string> local = generate;
  local.push_back("--local");
  const Result refused = Run(local);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--keep is for a server"));
}

TEST_F(PsfVerbsTest, APictureReplacesNoStackAndIsLookedAtFirst) {
  std::filesystem::copy_file(File("raw.tif"), File("beads.png"));
  const auto expect = [this](std::vector<std::string> command, const std::string& picture, int code,
                             const std::string& text) {
    command.insert(command.end(), {"-o", File("made.tif"), "--picture", picture});
    const Result result = Served(command);
    EXPECT_EQ(result.code, code) << picture;
    EXPECT_THAT(result.err, HasSubstr(text));
  };
  const std::vector<std::string> distill = {"psf", "distill", File("beads.png")};
  const std::vector<std::string> generate = {
      "psf",        "generate",     "--optics", "na=1.2,ri_immersion=1.333,emission_um=0.52",
      "--voxel-um", "0.25,0.1,0.1", "--shape",  "3,5,5"};
  expect(distill, File("beads.png"), 2, "beads.png is given twice: --picture needs a file of its own");
  for (const auto& command : {distill, generate}) {
    expect(command, File("made.tif"), 3, "a picture is written as PNG only");
    expect(command, File("none/made.png"), 3, "the folder");
  }
  EXPECT_EQ(service_.calls("Volumes.Create") + service_.calls("Jobs.Submit"), 0);
  EXPECT_OK(imageio::OpenImage(File("beads.png")));
}

TEST(DescriptionFrom, IsWhatTheJobSaid) {
  v1::Job job;
  EXPECT_EQ(DescriptionFrom(job), "");
  job.add_findings()->set_message("PSF of 4 beads");
  job.add_findings()->set_message("its signal over noise is 40");
  EXPECT_EQ(DescriptionFrom(job), "PSF of 4 beads; its signal over noise is 40");
  job.add_findings()->set_message(std::string(kLibraryDescriptionBytes, 'x'));
  job.add_findings()->set_message("the end");
  EXPECT_EQ(DescriptionFrom(job), "PSF of 4 beads; its signal over noise is 40") << "whole sentences only";
}

}  // namespace
}  // namespace deconvoy::client
