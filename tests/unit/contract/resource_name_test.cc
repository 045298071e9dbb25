#include "proto/contract/resource_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

const std::string kLongest(40, 'a');

TEST(ResourceName, RoundTrips) {
  for (const std::string& id : {std::string("a"), std::string("0-9"), kLongest}) {
    ASSERT_OK_AND_ASSIGN(const std::string volume, VolumeId(VolumeName(id), "volume"));
    EXPECT_EQ(volume, id);
    ASSERT_OK_AND_ASSIGN(const std::string job, JobId(JobName(id), "job"));
    EXPECT_EQ(job, id);
    ASSERT_OK_AND_ASSIGN(const std::string worker, WorkerId(WorkerName(id), "worker"));
    EXPECT_EQ(worker, id);
    ASSERT_OK_AND_ASSIGN(const TaskId task, ParseTaskName(TaskName(id, 17), "task"));
    EXPECT_EQ(task, (TaskId{.job_id = id, .number = 17}));
  }
}

TEST(ResourceName, IsWhatTheContractSays) {
  EXPECT_EQ(VolumeName("x1"), "volumes/x1");
  EXPECT_EQ(JobName("x1"), "jobs/x1");
  EXPECT_EQ(WorkerName("x1"), "workers/x1");
  EXPECT_EQ(TaskName("x1", 0), "jobs/x1/tasks/0");
}

TEST(ResourceName, RefusesAnythingElse) {
  const std::vector<std::string> wrong{"",
                                       "volumes",
                                       "volumes/",
                                       "volumes/A",
                                       "volumes/a/b",
                                       "volumes/a ",
                                       "Volumes/a",
                                       "jobs/a",
                                       "/volumes/a",
                                       "volumes//a",
                                       "volumes/..",
                                       "volumes/a\n",
                                       "volumes/µ",
                                       "volumes/a_",
                                       "volumes/a" + kLongest,
                                       std::string("volumes/a\0", 10)};
  for (const std::string& name : wrong) {
    const absl::Status status = VolumeId(name, "deconvolve.psf_volume").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << name;
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.psf_volume") << name;
  }
}

TEST(ResourceName, ErrorShowsTheNameButNotAllOfALongOne) {
  const std::string message(VolumeId(std::string(5000, 'x'), "volume").status().message());
  EXPECT_LT(message.size(), 300U);
  EXPECT_THAT(std::string(VolumeId("jobs/a", "volume").status().message()), ::testing::HasSubstr("`jobs/a`"));
}

TEST(TaskName, RefusesAnythingElse) {
  for (const char* name :
       {"", "jobs/a", "jobs/a/tasks", "jobs/a/tasks/", "jobs/a/tasks/x", "jobs/a/tasks/1x", "jobs/a/tasks/-1",
        "jobs/a/tasks/+1", "jobs/a/tasks/01", "jobs/a/tasks/ 1", "jobs/a/tasks/1/", "jobs/A/tasks/1", "jobs//tasks/1",
        "jobs/a/tasks/99999999999999999999", "volumes/a/tasks/1", "jobs/a/tasks/1/tasks/1"}) {
    EXPECT_EQ(ReasonOf(ParseTaskName(name, "task").status()), v1::INVALID_FIELD) << name;
  }
  ASSERT_OK_AND_ASSIGN(const TaskId largest, ParseTaskName("jobs/a/tasks/9223372036854775807", "task"));
  EXPECT_EQ(largest.number, INT64_MAX);
}

TEST(PsfName, RoundTrips) {
  for (const PsfId& psf : {PsfId{"a", 0}, PsfId{"gfp-60x", 1}, PsfId{std::string(63, 'z'), INT64_MAX}}) {
    ASSERT_OK_AND_ASSIGN(const PsfId back, ParsePsfName(PsfName(psf), "psf"));
    EXPECT_EQ(back, psf);
  }
  EXPECT_EQ(PsfName({"gfp", 0}), "psfs/gfp");
  EXPECT_EQ(PsfName({"gfp", 12}), "psfs/gfp/versions/12");
  EXPECT_TRUE(IsOfPsf("psfs/GFP"));
  EXPECT_FALSE(IsOfPsf("volumes/psfs/a"));
}

TEST(PsfName, RefusesAnythingElse) {
  for (const std::string& name : {std::string(),
                                  std::string("psfs"),
                                  std::string("psfs/"),
                                  std::string("psfs/1a"),
                                  std::string("psfs/-a"),
                                  std::string("psfs/A"),
                                  std::string("psfs/a_b"),
                                  std::string("psfs/a.tif"),
                                  "psfs/" + std::string(64, 'a'),
                                  std::string("psfs/a/"),
                                  std::string("psfs/a/versions"),
                                  std::string("psfs/a/versions/"),
                                  std::string("psfs/a/versions/0"),
                                  std::string("psfs/a/versions/01"),
                                  std::string("psfs/a/versions/-1"),
                                  std::string("psfs/a/versions/1/"),
                                  std::string("psfs/a/versions/1x"),
                                  std::string("psfs//versions/1"),
                                  std::string("psfs/versions/1"),
                                  std::string("/versions/1"),
                                  std::string("volumes/a"),
                                  std::string("psfs/a/versions/9223372036854775808"),
                                  std::string("psfs/a@1")}) {
    const absl::Status status = ParsePsfName(name, "deconvolve.psf_volume").status();
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << name;
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.psf_volume") << name;
    EXPECT_LT(status.message().size(), 300U) << name;
  }
}

TEST(ModelName, IsReadAsItIsWritten) {
  for (const ModelId& model : {ModelId{"rln", 0}, ModelId{"rln-60x", 12}}) {
    EXPECT_EQ(ParseModelName(ModelName(model), "model").value(), model);
  }
  EXPECT_EQ(ModelName({"rln", 2}), "models/rln/versions/2");
  for (const char* name : {"", "models/", "models/A", "psfs/a", "models/a/versions/0", "models/a/versions/x"}) {
    const absl::Status status = ParseModelName(name, "deconvolve.models").status();
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << name;
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.models") << name;
  }
}

}  // namespace
}  // namespace deconvoy
