// `--save-prepared-psf` and `psf check --save-prepared` as whole commands, and what they ask a server for.
#include "client/cli/prepared_psf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/cli/spec_text.h"
#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Of a PSF like psf.tif, 3 x 5 x 5.
v1::PsfReport Report(uint32_t c = 0) {
  v1::PsfReport report;
  report.set_c(c);
  *report.mutable_centre() = ToProto(Voxel{1, 2, 2});
  *report.mutable_crop_origin() = ToProto(Voxel{0, 1, 1});
  *report.mutable_crop_shape() = ToProto(Shape3{3, 3, 3});
  report.set_sum(2);
  return report;
}

// --- what is asked for ---

TEST(PreparedPsfOf, IsTheGivenOneOfADeconvolutionOrACheck) {
  v1::Job job;
  job.mutable_spec()->mutable_deconvolve()->set_psf_volume("volumes/psf");
  *job.add_psfs() = Report();
  ASSERT_OK_AND_ASSIGN(const v1::PreparePsfSpec given, PreparedPsfOf(job));
  EXPECT_EQ(given.psf_volume(), "volumes/psf");
  ASSERT_EQ(given.psfs_size(), 1);
  EXPECT_EQ(given.psfs(0).SerializeAsString(), Report().SerializeAsString());
  job.mutable_spec()->mutable_check_psf()->set_psf_volume("volumes/checked");
  ASSERT_OK_AND_ASSIGN(const v1::PreparePsfSpec checked, PreparedPsfOf(job));
  EXPECT_EQ(checked.psf_volume(), "volumes/checked");
}

TEST(PreparedPsfOf, IsTheEstimateOfEachChannelWhereThereIsOne) {
  v1::Job job;
  job.mutable_spec()->mutable_deconvolve()->set_psf_volume("volumes/psf");
  *job.add_psfs() = Report();
  job.add_outputs()->set_role("estimate");
  job.add_outputs()->set_role("psf");
  job.mutable_outputs(1)->set_volume("volumes/estimated");
  for (const uint32_t c : {1, 0}) {
    v1::PsfEstimate& estimate = *job.add_psf_estimates();
    estimate.set_c(c);
    *estimate.mutable_psf() = Report(c);
  }
  ASSERT_OK_AND_ASSIGN(const v1::PreparePsfSpec spec, PreparedPsfOf(job));
  EXPECT_EQ(spec.psf_volume(), "volumes/estimated");
  ASSERT_EQ(spec.psfs_size(), 2);
  EXPECT_EQ(spec.psfs(0).c(), 0U) << "in the order of the volume, not of the tasks";
  EXPECT_EQ(spec.psfs(1).c(), 1U);
}

TEST(PreparedPsfOf, JobsWithoutAPsfAreRefused) {
  v1::Job job;
  job.set_name("jobs/j");
  job.mutable_spec()->mutable_simulate()->set_psf_volume("volumes/psf");
  EXPECT_THAT(std::string(PreparedPsfOf(job).status().message()), HasSubstr("jobs/j has prepared no PSF"));
  job.mutable_spec()->mutable_deconvolve()->set_psf_volume("volumes/psf");
  EXPECT_FALSE(PreparedPsfOf(job).ok()) << "it was not analysed";
}

TEST(SpecLines, TellWhatIsPrepared) {
  v1::JobSpec spec;
  spec.mutable_prepare_psf()->set_psf_volume("volumes/psf");
  v1::PsfReport& report = *spec.mutable_prepare_psf()->add_psfs() = Report(2);
  report.set_background(12.5);
  report.set_step_z(2);
  report.set_step_y(1);
  report.set_step_x(0.5);
  const std::vector<std::string> lines = SpecLines(spec);
  EXPECT_THAT(lines, Contains("prepared PSF: volumes/psf"));
  EXPECT_THAT(lines, Contains("  t=0 c=2: box of 3,3,3 at 0,1,1, centre 1,2,2"));
  EXPECT_THAT(lines, Contains("    background: 12.5"));
  EXPECT_THAT(lines, Contains("    voxels: 2,1,0.5 of its own"));
}

// --- commands ---

class PreparedPsfTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    service_.SetPsfReports({Report()});
  }

  void ExpectPrepared(const std::string& file) {
    ASSERT_OK_AND_ASSIGN(const auto image, imageio::OpenImage(File(file)));
    const v1::Shape5& shape = image->spec().shape();
    EXPECT_EQ((Shape3{shape.z(), shape.y(), shape.x()}), (Shape3{3, 3, 3}));
    EXPECT_EQ(image->spec().type(), v1::F32);
    EXPECT_DOUBLE_EQ(image->spec().voxel_size().z_um(), 0.2);
  }
};

TEST_F(PreparedPsfTest, ARunWritesItAndLeavesNothing) {
  const Result result = RunJob({"--save-prepared-psf", File("used.tif")});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("wrote " + File("used.tif") + ": the PSF as it was used"));
  ExpectPrepared("used.tif");
  EXPECT_EQ(service_.calls("Jobs.Submit"), 2);
  EXPECT_THAT(service_.jobs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), IsEmpty());
}

TEST_F(PreparedPsfTest, TheJobForItGoesAlsoWhereTheOtherStays) {
  const Result result = RunJob({"--save-prepared-psf", File("used.tif"), "--keep", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\"prepared_psf\":\"" + File("used.tif") + "\""));
  ASSERT_THAT(service_.jobs(), SizeIs(1));
  EXPECT_TRUE(service_.jobs().begin()->second.spec().has_deconvolve());
  EXPECT_THAT(service_.volumes(), SizeIs(3)) << "image, PSF and result";
}

TEST_F(PreparedPsfTest, APsfOfTheLibraryIsPreparedToo) {
  ASSERT_EQ(Served({"psf", "add", "gfp", File("psf.tif"), "--unchecked"}).code, 0);
  const Result run = Served(
      {"run", File("raw.tif"), "--psf", "psfs/gfp", "-o", File("out.tif"), "--save-prepared-psf", File("used.tif")});
  ASSERT_EQ(run.code, 0) << run.err;
  ExpectPrepared("used.tif");
  const Result check = Served({"psf", "check", "psfs/gfp", "--save-prepared", File("checked.tif")});
  ASSERT_EQ(check.code, 0) << check.err;
  ExpectPrepared("checked.tif");
  EXPECT_THAT(service_.jobs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), SizeIs(1)) << "that of the library";
}

TEST_F(PreparedPsfTest, AFetchHasItPreparedFromWhatTheJobTells) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const v1::Job job = service_.jobs().begin()->second;
  const std::vector<std::string> fetch = {"fetch",         job.name(), "-o", File("out.tif"), "--save-prepared-psf",
                                          File("used.tif")};
  const Result fetched = Served(fetch);
  ASSERT_EQ(fetched.code, 0) << fetched.err;
  EXPECT_THAT(fetched.out, HasSubstr("wrote " + File("used.tif") + ": the PSF as it was used, 3 x 3 x 3 f32"));
  ExpectPrepared("used.tif");
  EXPECT_THAT(service_.jobs(), SizeIs(1));
  EXPECT_THAT(service_.volumes(), SizeIs(3));
  service_.FailNext("Jobs.Submit", 1, MakeError({.reason = v1::NOT_FOUND}, "there is no volume"));
  const Result gone = Served(fetch);
  EXPECT_EQ(gone.code, 3);
  EXPECT_THAT(gone.err,
              HasSubstr("the PSF in " + job.spec().deconvolve().psf_volume() + " is not on the server any more"));
}

TEST_F(PreparedPsfTest, AJobThatTellsNothingIsSaidBeforeAnythingIsWritten) {
  service_.SetPsfReports({});
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif"), "--wait"}).code, 0);
  const std::string job = service_.jobs().begin()->first;
  const Result refused = Served({"fetch", job, "-o", File("out.tif"), "--save-prepared-psf", File("used.tif")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr(job + " has prepared no PSF"));
  EXPECT_FALSE(std::filesystem::exists(File("out.tif")));
}

TEST_F(PreparedPsfTest, ACheckWritesItAndLeavesNothing) {
  const Result checked =
      Served({"psf", "check", File("psf.tif"), "--save-prepared", File("used.ome.tif"), "--compress", "deflate"});
  ASSERT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("wrote " + File("used.ome.tif") + ": the PSF as it is used"));
  ExpectPrepared("used.ome.tif");
  EXPECT_THAT(service_.jobs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), IsEmpty());
}

TEST_F(PreparedPsfTest, WhereItCannotBePreparedNothingStaysButTheResult) {
  v1::PsfReport wrong = Report();
  wrong.mutable_centre()->set_z(3);
  wrong.mutable_crop_origin()->set_z(2);
  service_.SetPsfReports({wrong});
  const Result result = RunJob({"--save-prepared-psf", File("used.tif")});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("preparing the PSF: "));
  EXPECT_THAT(result.err, HasSubstr("the result is kept on the server: deconvoy fetch "));
  EXPECT_FALSE(std::filesystem::exists(File("used.tif")));
  EXPECT_THAT(service_.jobs(), SizeIs(1));
}

TEST_F(PreparedPsfTest, EveryFileIsOfOneOutput) {
  const auto refused = [this](std::vector<std::string> arguments, const std::string& file) {
    const Result result = Served(std::move(arguments));
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(File(file) + " is given twice: --save-prepared"));
  };
  const std::vector<std::string> run = {"run",
                                        File("raw.tif"),
                                        "--psf",
                                        File("psf.tif"),
                                        "-o",
                                        File("out.tif"),
                                        "--save-psf",
                                        File("given.tif"),
                                        "--residual",
                                        File("rest.tif"),
                                        "--save-prepared-psf"};
  for (const char* file : {"raw.tif", "psf.tif", "out.tif", "given.tif", "rest.tif"}) {
    std::vector<std::string> arguments = run;
    arguments.push_back(File(file));
    refused(arguments, file);
  }
  for (const char* file : {"out.tif", "given.tif"}) {
    refused(
        {"fetch", "jobs/j", "-o", File("out.tif"), "--save-psf", File("given.tif"), "--save-prepared-psf", File(file)},
        file);
  }
  for (const char* file : {"raw.tif", "psf.tif"}) {
    refused({"psf", "check", File("psf.tif"), "--image", File("raw.tif"), "--save-prepared", File(file)}, file);
  }
  EXPECT_EQ(Served({"psf", "check", File("psf.tif"), "--save-prepared", File("none/used.tif")}).code, 3);
  EXPECT_EQ(RunJob({"--save-prepared-psf", File("used")}).code, 3) << "no format";
  EXPECT_EQ(service_.calls("Volumes.Create") + service_.calls("Jobs.Submit"), 0);
}

}  // namespace
}  // namespace deconvoy::client
