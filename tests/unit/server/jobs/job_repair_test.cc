#include "server/jobs/job_repair.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class JobRepairTest : public ::testing::Test {
 protected:
  // A deconvolution of two tiles, with the analysis and the first one done.
  void Start(const std::string& initial) {
    id_ = service_.Submit(service_.Deconvolve({1, 1, 2, 4, 8}, {2, 4, 4}, initial));
    for (int i = 0; i < 2; ++i) {
      const std::optional<v1::Task> task = worker_.Take();
      ASSERT_TRUE(task.has_value());
      ASSERT_OK(worker_.Deliver(*task));
    }
    const v1::Job job = service_.Get(id_);
    const v1::DeconvolveSpec& spec = job.spec().deconvolve();
    for (const std::string& name : {spec.input_volume(), spec.psf_volume(), job.outputs(0).volume()}) {
      volumes_.push_back(VolumeId(name, "").value());
    }
  }
  std::unique_ptr<LiveJob> Load() {
    auto job = LoadJob(service_.store(), id_, volumes_);
    EXPECT_OK(job);
    return *std::move(job);
  }
  std::vector<int64_t> Lacking(const LostBoxes& lost) {
    auto tasks = TasksWithoutOutput(service_.store(), *Load(), lost);
    EXPECT_OK(tasks);
    return *tasks;
  }
  FrameBox Recorded() { return service_.store().GetBoxes(volumes_[2], -1, -1)->front().box; }

  JobService service_;
  TestWorker worker_{service_, "w"};
  std::string id_;
  std::vector<std::string> volumes_;  // input, PSF, result
};

TEST_F(JobRepairTest, KnowsWhichTasksHaveLostWhatTheyWrote) {
  Start("mean");
  EXPECT_THAT(Lacking({}), IsEmpty());
  EXPECT_THAT(Lacking({{volumes_[2], {Recorded()}}}), ElementsAre(1));
  EXPECT_THAT(Lacking({{volumes_[0], {Recorded()}}}), IsEmpty()) << "boxes of another volume";
}

TEST_F(JobRepairTest, OnlyWhatNothingElseRestsOnIsDoneAgain) {
  Start("mean");
  EXPECT_TRUE(CanBeRedone(*Load(), {1}));
  EXPECT_FALSE(CanBeRedone(*Load(), {0, 1})) << "the plan rests on the analysis";
}

TEST_F(JobRepairTest, TilesThatOthersStartFromAreNot) {
  Start("previous");
  EXPECT_FALSE(CanBeRedone(*Load(), {1}));
}

TEST_F(JobRepairTest, AJobThatFailsForGoodLeavesNoResultAndSaysWhy) {
  Start("mean");
  const absl::Status why = MakeError({.reason = v1::STORAGE_FAILURE}, "the disk has lost it");
  ASSERT_OK(FailForGood(service_.store(), *Load(), why, service_.clock.Wall()));
  service_.Reopen();
  const v1::Job job = service_.Get(id_);
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.error().message(), "the disk has lost it");
  EXPECT_EQ(service_.CountVolumes(), 2U);
  EXPECT_FALSE(worker_.Take().has_value());
}

}  // namespace
}  // namespace deconvoy::server
