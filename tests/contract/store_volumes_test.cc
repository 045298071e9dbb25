// What every store promises about volumes, requests and fencing tokens.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class StoreVolumesTest : public StoreContractTest {
 protected:
  std::vector<std::string> Ids(const Page<VolumeRecord>& page) {
    std::vector<std::string> ids;
    for (const VolumeRecord& volume : page.items) ids.push_back(volume.id);
    return ids;
  }
};

TEST_P(StoreVolumesTest, VolumeComesBackAsItWasAlsoAfterReopening) {
  const VolumeRecord volume = MakeVolume("v1", 3);
  ASSERT_OK(store_->InsertVolume(volume, "request-1", "digest"));
  for (int round = 0; round < 2; ++round, Reopen()) {
    ASSERT_OK_AND_ASSIGN(const VolumeRecord back, store_->GetVolume("v1"));
    EXPECT_EQ(back.owner, "local");
    EXPECT_EQ(back.state, v1::WRITING);
    EXPECT_EQ(back.create_time, volume.create_time);
    EXPECT_EQ(back.committed_bytes, 0);
    EXPECT_FALSE(back.job_output);
    EXPECT_EQ(back.spec.SerializeAsString(), volume.spec.SerializeAsString());
  }
}

TEST_P(StoreVolumesTest, UnknownVolumeIsNotFound) {
  EXPECT_EQ(ReasonOf(store_->GetVolume("v1").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetBoxes("v1", 0, 0).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->CommitBoxes("v1", {})), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->CompleteVolume("v1", "")), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeleteVolume("v1")), v1::NOT_FOUND);
  EXPECT_THAT(std::string(store_->GetVolume("v1").status().message()), HasSubstr("volumes/v1"));
}

TEST_P(StoreVolumesTest, RequestIsKeptWithWhatItMade) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "request-1", "digest"));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindRequest("local", "request-1"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->body_digest, "digest");
  EXPECT_EQ(found->resource_id, "v1");
  ASSERT_OK_AND_ASSIGN(const auto of_other_owner, store_->FindRequest("other", "request-1"));
  EXPECT_FALSE(of_other_owner.has_value());
}

TEST_P(StoreVolumesTest, TakenRequestIdChangesNothing) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "request-1", "digest"));
  const absl::Status again = store_->InsertVolume(MakeVolume("v2"), "request-1", "digest");
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(again), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(ReasonOf(store_->GetVolume("v2").status()), v1::NOT_FOUND);
  EXPECT_OK(store_->InsertVolume(MakeVolume("v3", 0, "other"), "request-1", "digest"));
  EXPECT_OK(store_->InsertVolume(MakeVolume("v4"), "", ""));
  EXPECT_OK(store_->InsertVolume(MakeVolume("v5"), "", ""));
}

TEST_P(StoreVolumesTest, RequestIsForgottenWithItsVolume) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "request-1", "digest"));
  ASSERT_OK(store_->DeleteVolume("v1"));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindRequest("local", "request-1"));
  EXPECT_FALSE(found.has_value());
  EXPECT_OK(store_->InsertVolume(MakeVolume("v2"), "request-1", "digest"));
}

TEST_P(StoreVolumesTest, ListGoesFromNewestToOldestOwnerByOwner) {
  for (int i = 0; i < 5; ++i) ASSERT_OK(store_->InsertVolume(MakeVolume(fmt::format("v{}", i), i), "", ""));
  ASSERT_OK(store_->InsertVolume(MakeVolume("foreign", 2, "other"), "", ""));
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListVolumes("local", 2, ""));
  EXPECT_EQ(Ids(first), (std::vector<std::string>{"v4", "v3"}));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListVolumes("local", 2, first.next_token));
  EXPECT_EQ(Ids(second), (std::vector<std::string>{"v2", "v1"}));
  ASSERT_OK_AND_ASSIGN(const auto third, store_->ListVolumes("local", 2, second.next_token));
  EXPECT_EQ(Ids(third), (std::vector<std::string>{"v0"}));
  EXPECT_EQ(third.next_token, "");
  ASSERT_OK_AND_ASSIGN(const auto exact, store_->ListVolumes("local", 5, ""));
  EXPECT_EQ(exact.next_token, "") << "there is no sixth volume";
}

TEST_P(StoreVolumesTest, LargeVolumesMakeShorterPages) {
  for (int i = 0; i < 7; ++i) {
    VolumeRecord volume = MakeVolume(fmt::format("v{}", i), i);
    volume.spec.add_channels()->set_name(std::string(limits::kPageBytes / 3, 'x'));
    ASSERT_OK(store_->InsertVolume(volume, "", ""));
  }
  VolumeRecord huge = MakeVolume("huge", -1);
  huge.spec.add_channels()->set_name(std::string(2 * limits::kPageBytes, 'x'));
  ASSERT_OK(store_->InsertVolume(huge, "", ""));
  std::vector<std::vector<std::string>> pages;
  std::string next;
  do {
    ASSERT_OK_AND_ASSIGN(const auto page, store_->ListVolumes("local", 1000, next));
    pages.push_back(Ids(page));
    next = page.next_token;
  } while (!next.empty());
  EXPECT_EQ(pages, (std::vector<std::vector<std::string>>{{"v6", "v5"}, {"v4", "v3"}, {"v2", "v1"}, {"v0"}, {"huge"}}));
}

TEST_P(StoreVolumesTest, PagesStayInPlaceWhileVolumesComeAndGo) {
  for (int i = 0; i < 6; ++i) ASSERT_OK(store_->InsertVolume(MakeVolume(fmt::format("v{}", i), 10), "", ""));
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListVolumes("local", 3, ""));
  EXPECT_EQ(Ids(first), (std::vector<std::string>{"v5", "v4", "v3"}));
  ASSERT_OK(store_->InsertVolume(MakeVolume("newer", 11), "", ""));
  ASSERT_OK(store_->DeleteVolume("v3"));
  ASSERT_OK(store_->DeleteVolume("v5"));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListVolumes("local", 3, first.next_token));
  EXPECT_EQ(Ids(second), (std::vector<std::string>{"v2", "v1", "v0"}));
}

TEST_P(StoreVolumesTest, ForeignPageTokenIsRefused) {
  EXPECT_EQ(ReasonOf(store_->ListVolumes("local", 3, "nonsense").status()), v1::INVALID_FIELD);
}

TEST_P(StoreVolumesTest, AllIdsAreThoseOfEveryOwner) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->InsertVolume(MakeVolume("v2", 0, "other"), "", ""));
  ASSERT_OK_AND_ASSIGN(const auto ids, store_->AllVolumeIds());
  EXPECT_THAT(ids, UnorderedElementsAre("v1", "v2"));
}

TEST_P(StoreVolumesTest, CommittedBoxesAreCountedAndComeBackByFrame) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 1, 2, 3, 0xffffffff), Rows(0, 1, 1, 2, 3, 5)}));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(1, 0, 0, 0, 1, 6)}));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v1"));
  EXPECT_EQ(volume.committed_bytes, (3 + 3 + 1) * 16 * 2);
  ASSERT_OK_AND_ASSIGN(const auto frame, store_->GetBoxes("v1", 0, 0));
  ASSERT_THAT(frame, SizeIs(1));
  EXPECT_EQ(frame[0].box, Rows(0, 0, 1, 2, 3, 0).box);
  EXPECT_EQ(frame[0].crc32c, 0xffffffff);
  ASSERT_OK_AND_ASSIGN(const auto all, store_->GetBoxes("v1", -1, -1));
  EXPECT_THAT(all, SizeIs(3));
  ASSERT_OK_AND_ASSIGN(const auto none, store_->GetBoxes("v1", 1, 1));
  EXPECT_THAT(none, IsEmpty());
}

TEST_P(StoreVolumesTest, TheSameBoxAgainCountsOnce) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1), Rows(0, 0, 0, 0, 2, 1)}));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1)}));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v1"));
  EXPECT_EQ(volume.committed_bytes, 2 * 16 * 2);
}

TEST_P(StoreVolumesTest, OtherBoxAtTheSamePlaceRefusesTheWholeGroup) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1)}));
  for (const CommittedBox& other : {Rows(0, 0, 0, 0, 3, 1), Rows(0, 0, 0, 0, 2, 9)}) {
    const absl::Status status = store_->CommitBoxes("v1", {Rows(0, 0, 1, 0, 1, 4), other});
    EXPECT_EQ(ReasonOf(status), v1::BOX_OVERLAPS);
  }
  ASSERT_OK_AND_ASSIGN(const auto all, store_->GetBoxes("v1", -1, -1));
  EXPECT_THAT(all, SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v1"));
  EXPECT_EQ(volume.committed_bytes, 2 * 16 * 2);
}

TEST_P(StoreVolumesTest, CompleteVolumeTakesNoMoreBoxes) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1)}));
  ASSERT_OK(store_->CompleteVolume("v1", "digest"));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v1"));
  EXPECT_EQ(volume.state, v1::COMPLETE);
  EXPECT_EQ(volume.spec.digest(), "digest");
  EXPECT_EQ(ReasonOf(store_->CommitBoxes("v1", {Rows(0, 0, 1, 0, 2, 1)})), v1::VOLUME_COMPLETE);
  EXPECT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1)}));
}

TEST_P(StoreVolumesTest, OnlyOwnCompleteVolumesAreFoundByDigest) {
  const std::string digest("\0\xff digest", 9);
  VolumeRecord announced = MakeVolume("v1");
  announced.spec.set_digest(digest);
  ASSERT_OK(store_->InsertVolume(announced, "", ""));
  ASSERT_OK_AND_ASSIGN(auto found, store_->FindVolumeByDigest("local", digest));
  EXPECT_FALSE(found.has_value()) << "an announced digest is no proof";
  ASSERT_OK(store_->CompleteVolume("v1", digest));
  ASSERT_OK_AND_ASSIGN(found, store_->FindVolumeByDigest("local", digest));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, "v1");
  ASSERT_OK_AND_ASSIGN(found, store_->FindVolumeByDigest("other", digest));
  EXPECT_FALSE(found.has_value());
}

TEST_P(StoreVolumesTest, DeletingTakesTheBoxesAlong) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK(store_->CommitBoxes("v1", {Rows(0, 0, 0, 0, 2, 1)}));
  ASSERT_OK(store_->DeleteVolume("v1"));
  EXPECT_EQ(ReasonOf(store_->GetVolume("v1").status()), v1::NOT_FOUND);
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  ASSERT_OK_AND_ASSIGN(const auto boxes, store_->GetBoxes("v1", -1, -1));
  EXPECT_THAT(boxes, IsEmpty());
}

// A cost that grows with what is there already runs into the test's limit of time.
TEST_P(StoreVolumesTest, ManyBoxes) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  std::vector<CommittedBox> boxes;
  for (int64_t i = 0; i < 100'000; ++i) boxes.push_back({{0, 0, {{i, 0, 0}, {1, 8, 16}}}, static_cast<uint32_t>(i)});
  ASSERT_OK(store_->CommitBoxes("v1", boxes));
  ASSERT_OK_AND_ASSIGN(const auto back, store_->GetBoxes("v1", 0, 0));
  EXPECT_THAT(back, SizeIs(100'000));
}

TEST_P(StoreVolumesTest, TokensRiseAcrossRestartsAndCrashes) {
  uint64_t newest = 0;
  std::vector<std::unique_ptr<Store>> crashed;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_OK_AND_ASSIGN(const uint64_t token, store_->NextToken());
      ASSERT_GT(token, newest);
      newest = token;
    }
    // In odd rounds the old store stays as it is, as if its process had died without a word.
    if (round % 2 == 1) crashed.push_back(std::move(store_));
    Reopen();
  }
}

TEST_P(StoreVolumesTest, CallsFromManyThreadsAllCount) {
  ASSERT_OK(store_->InsertVolume(MakeVolume("v1"), "", ""));
  std::vector<std::thread> threads;
  std::vector<std::vector<uint64_t>> tokens(4);
  for (int64_t k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      for (int64_t i = 0; i < 25; ++i) {
        EXPECT_OK(store_->CommitBoxes("v1", {Rows(k / 2, k % 2, i, 0, 1, 1)}));
        auto token = store_->NextToken();
        EXPECT_OK(token);
        tokens[static_cast<size_t>(k)].push_back(*token);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v1"));
  EXPECT_EQ(volume.committed_bytes, 100 * 16 * 2);
  std::set<uint64_t> distinct;
  for (const auto& own : tokens) distinct.insert(own.begin(), own.end());
  EXPECT_THAT(distinct, SizeIs(100));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreVolumesTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
