// What every store promises about the use of volumes: quotas, retention, digests, boxes in order.
#include <gmock/gmock.h>

#include "proto/contract/error.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int64_t kVolumeBytes = 2 * 2 * 4 * 8 * 16 * 2;  // of MakeVolume

class StoreUseTest : public StoreContractTest {
 protected:
  void Insert(const std::string& id, int64_t second, const std::string& owner = "local") {
    ASSERT_OK(store_->InsertVolume(MakeVolume(id, second, owner), "", ""));
  }
  // A job that reads an upload and makes a result; both are given.
  JobChange InsertJob(const std::string& id, const std::string& input, const std::string& result, int64_t second) {
    JobChange change{.job = MakeJob(id, second)};
    change.job.job.mutable_spec()->mutable_project()->set_input_volume(VolumeName(input));
    change.job.job.add_outputs()->set_volume(VolumeName(result));
    change.new_volumes.push_back(MakeVolume(result, second));
    EXPECT_OK(store_->InsertJob(change, "", ""));
    change.new_volumes.clear();
    return change;
  }
  void End(JobChange change, int64_t second) {
    change.job.state = v1::SUCCEEDED;
    change.job.job.mutable_end_time()->set_seconds(absl::ToUnixSeconds(At(second)));
    for (const v1::JobOutput& output : change.job.job.outputs()) {
      change.completed_volumes.push_back(*VolumeId(output.volume(), "volume"));
    }
    ASSERT_OK(store_->Apply(change));
  }
  std::vector<std::string> Idle(VolumeKind kind, int64_t second, int limit = 100) {
    auto volumes = store_->IdleVolumes(kind, At(second), limit);
    EXPECT_OK(volumes);
    std::vector<std::string> ids;
    for (const VolumeRecord& volume : *volumes) ids.push_back(volume.id);
    return ids;
  }
};

TEST_P(StoreUseTest, UsageCountsFullSizesOwnerByOwner) {
  Insert("v1", 0);
  Insert("v2", 0);
  Insert("foreign", 0, "other");
  ASSERT_OK_AND_ASSIGN(const Usage before, store_->UsageOf("local"));
  EXPECT_EQ(before.bytes, 2 * kVolumeBytes) << "though nothing has come yet";
  EXPECT_EQ(before.unfinished_jobs, 0);
  const JobChange job = InsertJob("j1", "v1", "r1", 1);
  ASSERT_OK_AND_ASSIGN(const Usage running, store_->UsageOf("local"));
  EXPECT_EQ(running.bytes, 3 * kVolumeBytes);
  EXPECT_EQ(running.unfinished_jobs, 1);
  End(job, 2);
  ASSERT_OK(store_->DeleteVolume("v2"));
  ASSERT_OK_AND_ASSIGN(const Usage after, store_->UsageOf("local"));
  EXPECT_EQ(after.bytes, 2 * kVolumeBytes);
  EXPECT_EQ(after.unfinished_jobs, 0);
  ASSERT_OK_AND_ASSIGN(const Usage nobody, store_->UsageOf("nobody"));
  EXPECT_EQ(nobody.bytes, 0);
}

TEST_P(StoreUseTest, UnfinishedUploadIsFoundByWhatWasAnnounced) {
  VolumeRecord volume = MakeVolume("v1");
  volume.spec.set_digest(std::string(32, 'd'));
  ASSERT_OK(store_->InsertVolume(volume, "", ""));
  volume.id = "v2";
  ASSERT_OK(store_->InsertVolume(volume, "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 1, 1)}));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindUnfinishedUpload("local", std::string(32, 'd')));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, "v1") << "it has the most";
  ASSERT_OK_AND_ASSIGN(const auto foreign, store_->FindUnfinishedUpload("other", std::string(32, 'd')));
  EXPECT_FALSE(foreign.has_value());
  ASSERT_OK(store_->CompleteVolume("v1", std::string(32, 'd')));
  ASSERT_OK(store_->DeleteVolume("v2"));
  ASSERT_OK_AND_ASSIGN(const auto none, store_->FindUnfinishedUpload("local", std::string(32, 'd')));
  EXPECT_FALSE(none.has_value());
}

TEST_P(StoreUseTest, ForgottenDigestIsNotFound) {
  Insert("v1", 0);
  ASSERT_OK(store_->CompleteVolume("v1", std::string(32, 'd')));
  ASSERT_OK(store_->ForgetDigest("v1"));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindVolumeByDigest("local", std::string(32, 'd')));
  EXPECT_FALSE(found.has_value());
}

TEST_P(StoreUseTest, IdleVolumesComeByKindOldestUseFirst) {
  Insert("v1", 1);
  Insert("v2", 2);
  Insert("v3", 3);
  ASSERT_OK(store_->UseVolume("v1", At(10)));
  ASSERT_OK(store_->UseVolume("v2", At(0)));  // changes nothing
  EXPECT_EQ(Idle(VolumeKind::kUpload, 11), (std::vector<std::string>{"v2", "v3", "v1"}));
  EXPECT_EQ(Idle(VolumeKind::kUpload, 10), (std::vector<std::string>{"v2", "v3"}));
  EXPECT_EQ(Idle(VolumeKind::kUpload, 11, 1), (std::vector<std::string>{"v2"}));
  EXPECT_THAT(Idle(VolumeKind::kResult, 11), IsEmpty());
  EXPECT_EQ(ReasonOf(store_->UseVolume("none", At(1))), v1::NOT_FOUND);
}

TEST_P(StoreUseTest, VolumesOfUnfinishedJobsAndOfPsfsAreNotIdle) {
  Insert("v1", 1);
  Insert("psf", 1);
  ASSERT_OK(store_->CompleteVolume("psf", std::string(32, 'p')));
  ASSERT_OK(store_->InsertPsf({.owner = "local", .id = "beads", .volume_id = "psf", .create_time = At(1)}, "", ""));
  const JobChange job = InsertJob("j1", "v1", "r1", 5);
  EXPECT_THAT(Idle(VolumeKind::kUpload, 100), IsEmpty());
  EXPECT_THAT(Idle(VolumeKind::kResult, 100), IsEmpty());
  End(job, 20);
  EXPECT_THAT(Idle(VolumeKind::kUpload, 20), IsEmpty()) << "the job used it until its end";
  EXPECT_EQ(Idle(VolumeKind::kUpload, 21), (std::vector<std::string>{"v1"}));
  EXPECT_EQ(Idle(VolumeKind::kResult, 21), (std::vector<std::string>{"r1"}));
  ASSERT_OK(store_->MarkFetched("r1"));
  ASSERT_OK(store_->MarkFetched("v1"));  // without effect on an upload
  EXPECT_THAT(Idle(VolumeKind::kResult, 21), IsEmpty());
  EXPECT_EQ(Idle(VolumeKind::kFetchedResult, 21), (std::vector<std::string>{"r1"}));
  EXPECT_EQ(Idle(VolumeKind::kUpload, 21), (std::vector<std::string>{"v1"}));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord result, store_->GetVolume("r1"));
  EXPECT_TRUE(result.fetched);
  EXPECT_EQ(result.last_used, At(20));
}

TEST_P(StoreUseTest, IdleVolumeThatWasUsedMeanwhileStays) {
  Insert("v1", 1);
  ASSERT_OK(store_->UseVolume("v1", At(2)));
  EXPECT_EQ(ReasonOf(store_->DeleteIdleVolume("v1", At(1))), v1::VOLUME_IN_USE);
  Insert("v2", 1);
  InsertJob("j1", "v2", "r1", 1);
  EXPECT_EQ(ReasonOf(store_->DeleteIdleVolume("v2", At(100))), v1::VOLUME_IN_USE);
  ASSERT_OK(store_->DeleteIdleVolume("v1", At(2)));
  EXPECT_EQ(ReasonOf(store_->GetVolume("v1").status()), v1::NOT_FOUND);
}

TEST_P(StoreUseTest, BoxesComeByTheirFirstPlaneInOrder) {
  Insert("v1", 1);
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 2, 4, 1, 3), Rows(0, 0, 2, 0, 1, 2), Rows(0, 0, 1, 0, 1, 1),
                                       Rows(0, 0, 3, 0, 1, 4), Rows(0, 1, 2, 0, 1, 9)}));
  ASSERT_OK_AND_ASSIGN(const auto boxes, store_->GetBoxesFrom("v1", 0, 0, 1, 3));
  std::vector<uint32_t> order;
  for (const CommittedBox& box : boxes) order.push_back(box.crc32c);
  EXPECT_EQ(order, (std::vector<uint32_t>{1, 2, 3}));
}

TEST_P(StoreUseTest, VolumesOfAJobAreWhatItReadsAndMakes) {
  Insert("v1", 1);
  InsertJob("j1", "v1", "r1", 1);
  ASSERT_OK_AND_ASSIGN(const auto volumes, store_->VolumesOfJob("j1"));
  EXPECT_THAT(volumes, UnorderedElementsAre("v1", "r1"));
  ASSERT_OK_AND_ASSIGN(const auto none, store_->VolumesOfJob("none"));
  EXPECT_THAT(none, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreUseTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
