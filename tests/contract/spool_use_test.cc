// What every volume store promises about resuming, damage on the disk, quotas and retention.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kChunk = 512;
constexpr int64_t kMiB = 1 << 20;

class SpoolUseTest : public SpoolContractTest {
 protected:
  v1::VolumeSpec Announced(uint64_t salt = 0) const {
    v1::VolumeSpec spec = spec_;
    spec.set_digest(DigestOf(spec_, salt));
    return spec;
  }
  // A complete upload.
  std::string Complete(const std::string& request_id, uint64_t salt = 0) {
    const std::string id = Make(spec_, request_id);
    EXPECT_OK(Upload(id, AllChunks(spec_, kChunk, salt)));
    EXPECT_OK(volumes_->Finish(id, DigestOf(spec_, salt)));
    return id;
  }
  // A complete result, whose bytes are one box of each frame, of a job that has ended.
  void CompleteResult(const std::string& id) {
    InsertResult(id, spec_);
    JobChange::Commit commit{.volume_id = id, .boxes = {}};
    std::fstream file(volumes_->PathOf(id), std::ios::binary | std::ios::in | std::ios::out);
    for (int64_t frame = 0; frame < ShapeOf(spec_).frames(); ++frame) {
      const FrameBox box{frame, 0, {{}, ShapeOf(spec_).frame()}};
      const std::string bytes = BytesOfBox(spec_, box);
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      commit.boxes.push_back({box, Crc32c(std::as_bytes(std::span(bytes)))});
    }
    file.close();
    ASSERT_OK_AND_ASSIGN(JobRecord job, store_->GetJob("job1"));
    JobChange change{.job = job};
    change.job.state = v1::SUCCEEDED;
    change.committed.push_back(commit);
    change.completed_volumes.push_back(id);
    ASSERT_OK(store_->Apply(change));
  }
  void Flip(const std::string& id, int64_t offset) {
    std::fstream file(volumes_->PathOf(id), std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
  }
  FrameBox Frame(int64_t t) const { return {t, 0, {{}, ShapeOf(spec_).frame()}}; }
  bool Exists(const std::string& id) { return store_->GetVolume(id).ok(); }
  std::unique_ptr<Sweeper> MakeSweeper() {
    return std::make_unique<Sweeper>(
        Sweeper::Options{
            .rules = options_.retention, .directory = options_.directory, .interval = std::chrono::seconds(0)},
        *store_, *volumes_, files_, clock_);
  }
  void SetRules(const RetentionRules& rules) {
    options_.retention = rules;
    Reopen();
  }

  const v1::VolumeSpec spec_ = MakeSpec(2, 1, 4, 16, 16);  // planes of 512 bytes, 4096 in all
};

// --- Resuming ---

TEST_P(SpoolUseTest, AnUploadThatWasLeftIsGoneOnWith) {
  ASSERT_OK_AND_ASSIGN(const v1::Volume first, Create(Announced(), "a"));
  const std::vector<v1::Chunk> chunks = AllChunks(spec_, kChunk);
  ASSERT_OK(Upload(IdOf(first), {chunks.begin(), chunks.begin() + 3}));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Volume again, Create(Announced(), "b"));
  EXPECT_EQ(again.name(), first.name());
  EXPECT_EQ(again.state(), v1::WRITING);
  EXPECT_EQ(again.committed_bytes(), 3u * kChunk);
  EXPECT_EQ(ToFrameBox(again.missing(0)).box.origin.z, 3);
  ASSERT_OK(Upload(IdOf(again), {chunks.begin() + 3, chunks.end()}));
  ASSERT_OK(volumes_->Finish(IdOf(again), DigestOf(spec_)));
  ASSERT_OK_AND_ASSIGN(const v1::Volume third, Create(Announced(), "c"));
  EXPECT_EQ(third.name(), first.name());
  EXPECT_EQ(third.state(), v1::COMPLETE);
}

TEST_P(SpoolUseTest, AnUploadThatSomebodyWritesIsNotTakenAway) {
  ASSERT_OK_AND_ASSIGN(const v1::Volume first, Create(Announced(), "a"));
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, volumes_->Write(IdOf(first)));
    ASSERT_OK_AND_ASSIGN(const v1::Volume second, Create(Announced(), "b"));
    EXPECT_NE(second.name(), first.name());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Volume third, Create(Announced(), "c"));
  EXPECT_EQ(third.state(), v1::WRITING);
}

TEST_P(SpoolUseTest, OnlyTheSameImageOfTheSameOwnerIsGoneOnWith) {
  ASSERT_OK_AND_ASSIGN(const v1::Volume first, Create(Announced(), "a"));
  ASSERT_OK_AND_ASSIGN(const v1::Volume foreign, Create(Announced(), "b", "other"));
  EXPECT_NE(foreign.name(), first.name());
  v1::VolumeSpec measured = Announced();
  measured.mutable_voxel_size()->set_z_um(0.2);
  ASSERT_OK_AND_ASSIGN(const v1::Volume other, Create(measured, "c"));
  EXPECT_NE(other.name(), first.name());
}

// --- Damage ---

TEST_P(SpoolUseTest, OneFlippedBitIsFoundWhereverItIs) {
  for (const int64_t offset : {int64_t{0}, int64_t{700}, int64_t{4095}}) {
    const std::string id = Complete("at" + std::to_string(offset));
    EXPECT_OK(volumes_->Verify(id, {}));
    Flip(id, offset);
    const absl::Status damage = volumes_->Verify(id, {});
    EXPECT_EQ(ReasonOf(damage), v1::CORRUPT_DATA);
    EXPECT_TRUE(absl::IsDataLoss(damage));
    const auto metadata = InfoOf(damage).metadata();
    EXPECT_EQ(metadata.at("volume"), VolumeName(id));
    EXPECT_EQ(metadata.at("path"), volumes_->PathOf(id).string());
    EXPECT_THAT(metadata.at("box"), HasSubstr("t=" + std::to_string(offset / 2048)));
    ASSERT_OK_AND_ASSIGN(const v1::Volume anew, Create(Announced(), "after" + std::to_string(offset)));
    EXPECT_NE(IdOf(anew), id) << "a damaged volume is found by its digest";
    EXPECT_EQ(anew.state(), v1::WRITING);
    ASSERT_OK(volumes_->Delete(IdOf(anew)));
  }
}

TEST_P(SpoolUseTest, ReadingSendsNothingOfADamagedBox) {
  const std::string id = Complete("a");
  Flip(id, 2 * kChunk + 5);
  std::vector<int64_t> planes;
  const absl::Status damage = volumes_->Read(id, ToProto(Frame(0)), [&](const v1::Chunk& chunk) {
    planes.push_back(chunk.box().z());
    return true;
  });
  EXPECT_EQ(ReasonOf(damage), v1::CORRUPT_DATA);
  EXPECT_THAT(planes, IsEmpty()) << "the frame is one chunk";
  EXPECT_OK(ReadRegion(id, spec_, Frame(1)));
}

TEST_P(SpoolUseTest, ReadingFindsDamageInBoxesThatAreNotItsChunks) {
  const v1::VolumeSpec large = MakeSpec(1, 1, 2, 700, 512);  // planes of more than one chunk, in boxes of rows
  const std::string id = Make(large, "large");
  ASSERT_OK(Upload(id, AllChunks(large, 100'000)));
  ASSERT_OK(volumes_->Finish(id, ""));
  ExpectContent(id, large);
  Flip(id, 700 * 1024 + 650 * 1024);
  const FrameBox whole{0, 0, {{}, ShapeOf(large).frame()}};
  EXPECT_EQ(ReasonOf(ReadRegion(id, large, whole).status()), v1::CORRUPT_DATA);
  EXPECT_OK(ReadRegion(id, large, {0, 0, {{0, 0, 0}, {1, 700, 512}}}));
}

TEST_P(SpoolUseTest, OfAnUnfinishedUploadWhatIsThereIsVerified) {
  const std::string id = Make(spec_);
  EXPECT_OK(volumes_->Verify(id, {}));
  const std::vector<v1::Chunk> chunks = AllChunks(spec_, kChunk);
  ASSERT_OK(Upload(id, {chunks[0]}));
  EXPECT_OK(volumes_->Verify(id, {}));
  Flip(id, BytesOf(spec_) - 1);
  EXPECT_OK(volumes_->Verify(id, {}));  // it has not been written yet
  Flip(id, 5);
  Reopen();
  EXPECT_EQ(ReasonOf(volumes_->Verify(id, {})), v1::CORRUPT_DATA);
}

TEST_P(SpoolUseTest, VolumesThatShareADamagedFileAreNotFoundByTheirDigest) {
  const std::string first = Complete("a"), second = Complete("b");
  if (!std::filesystem::equivalent(volumes_->PathOf(first), volumes_->PathOf(second))) {
    GTEST_SKIP() << "SKIPPED: this store does not share files";
  }
  Flip(first, 5);
  EXPECT_EQ(ReasonOf(volumes_->Verify(first, {})), v1::CORRUPT_DATA);
  ASSERT_OK_AND_ASSIGN(const v1::Volume anew, Create(Announced(), "c"));
  EXPECT_NE(IdOf(anew), first);
  EXPECT_NE(IdOf(anew), second);
}

// Planes that came in order have their digest already.
TEST_P(SpoolUseTest, WhatIsFoundDamagedIsReadAgainWhenItIsFinished) {
  const std::string id = Make(spec_);
  ASSERT_OK(Upload(id, AllChunks(spec_, kChunk)));
  Flip(id, 5);
  EXPECT_EQ(ReasonOf(volumes_->Verify(id, {})), v1::CORRUPT_DATA);
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, DigestOf(spec_)).status()), v1::DIGEST_MISMATCH);
}

TEST_P(SpoolUseTest, VerifyingCanBeBrokenOff) {
  const std::string complete = Complete("a");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(volumes_->Verify(complete, stop.get_token())));
}

TEST_P(SpoolUseTest, VerifyingGoesOnFromItsPlace) {
  const std::string id = Complete("a");
  std::stop_source stop;
  stop.request_stop();
  VerifyPlace place{.frame = 0, .last = Voxel{1, 0, 0}};  // two planes, a box each, were compared
  EXPECT_TRUE(absl::IsCancelled(volumes_->VerifyFrom(id, place, stop.get_token())));
  EXPECT_EQ(place.last, (Voxel{1, 0, 0}));
  Flip(id, kChunk + 5);
  EXPECT_OK(volumes_->VerifyFrom(id, place, {}));  // what was compared is not looked at again
  EXPECT_EQ(place.frame, 2) << "all frames were compared";
  Flip(id, 2 * kChunk + 5);
  place = {.frame = 0, .last = Voxel{1, 0, 0}};
  EXPECT_EQ(ReasonOf(volumes_->VerifyFrom(id, place, {})), v1::CORRUPT_DATA);
}

// --- Quotas ---

TEST_P(SpoolUseTest, AnOwnerHasNoMoreThanTheQuota) {
  options_.quota_of = [](const std::string& owner) {
    v1::Quota quota;
    if (owner == "local") quota.set_bytes(2 * 4096);
    return quota;
  };
  Reopen();
  const std::string first = Make(spec_, "a");
  Make(spec_, "b");
  const absl::Status refused = Create(spec_, "c").status();
  EXPECT_EQ(ReasonOf(refused), v1::QUOTA_EXCEEDED);
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  const auto metadata = InfoOf(refused).metadata();
  EXPECT_EQ(metadata.at("quota"), "bytes");
  EXPECT_EQ(metadata.at("limit"), "8192");
  EXPECT_EQ(metadata.at("used"), "8192");
  EXPECT_EQ(metadata.at("need"), "4096");
  EXPECT_OK(Create(spec_, "b"));  // the same request again
  EXPECT_OK(Create(spec_, "d", "other"));
  ASSERT_OK(volumes_->Delete(first));
  EXPECT_OK(Create(spec_, "c"));
}

TEST_P(SpoolUseTest, WhatIsPromisedCountsUntilItIsDropped) {
  options_.quota_of = [](const std::string&) {
    v1::Quota quota;
    quota.set_bytes(100);
    quota.set_jobs(1);
    return quota;
  };
  Reopen();
  {
    ASSERT_OK_AND_ASSIGN(const Quotas::Hold hold, volumes_->quotas().Take("local", {.bytes = 60}));
    EXPECT_EQ(ReasonOf(volumes_->quotas().Check("local", {.bytes = 41})), v1::QUOTA_EXCEEDED);
    EXPECT_OK(volumes_->quotas().Check("local", {.bytes = 40, .unfinished_jobs = 1}));
    EXPECT_OK(volumes_->quotas().Check("other", {.bytes = 100}));
  }
  EXPECT_OK(volumes_->quotas().Check("local", {.bytes = 100}));
  EXPECT_EQ(InfoOf(volumes_->quotas().Check("local", {.unfinished_jobs = 2})).metadata().at("quota"), "jobs");
}

// --- Retention ---

TEST_P(SpoolUseTest, AResultIsFetchedWhenAllOfItWasSent) {
  CompleteResult("result");
  ASSERT_OK_AND_ASSIGN(const VolumeRecord record, store_->GetVolume("result"));
  volumes_->NoteSent(record, Frame(0));
  volumes_->NoteSent(record, {1, 0, {{0, 0, 0}, {3, 16, 16}}});
  volumes_->NoteSent(record, {1, 0, {{3, 0, 0}, {1, 15, 16}}});
  ASSERT_OK_AND_ASSIGN(const v1::Volume nearly, volumes_->Get("result", false));
  EXPECT_FALSE(nearly.fetched());
  volumes_->NoteSent(record, {1, 0, {{3, 15, 0}, {1, 1, 16}}});
  ASSERT_OK_AND_ASSIGN(const v1::Volume fetched, volumes_->Get("result", false));
  EXPECT_TRUE(fetched.fetched());
  EXPECT_EQ(fetched.owner(), "users/local");
}

TEST_P(SpoolUseTest, NothingGoesWithoutARule) {
  const std::string id = Complete("a");
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(24 * 10'000));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, false));
  EXPECT_FALSE(volume.has_expire_time());
}

TEST_P(SpoolUseTest, VolumesGoWhenTheyHaveRestedForTheirTime) {
  SetRules({.result = absl::Hours(240), .fetched = absl::Hours(24), .upload = absl::Hours(48)});
  CompleteResult("result");
  const std::string used = Complete("used", 1), old = Complete("old", 2);
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(old, false));
  EXPECT_EQ(volume.expire_time().seconds() - volume.create_time().seconds(), 48 * 3600);
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(47));
  EXPECT_OK(ReadRegion(used, spec_, Frame(0)));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(old));
  clock_.Advance(std::chrono::hours(2));
  sweeper->Sweep();
  EXPECT_FALSE(Exists(old));
  EXPECT_FALSE(std::filesystem::exists(volumes_->PathOf(old)));
  EXPECT_TRUE(Exists(used)) << "it was read";
  EXPECT_TRUE(Exists("result")) << "nobody has fetched it";
  ASSERT_OK(store_->MarkFetched("result"));
  sweeper->Sweep();
  EXPECT_FALSE(Exists("result")) << "it was fetched, and has rested for two days";
}

TEST_P(SpoolUseTest, WhatJobsUseStaysAndHasNoTime) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Complete("a");
  InsertJobUsing(id);
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(1000));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, false));
  EXPECT_FALSE(volume.has_expire_time());
}

TEST_P(SpoolUseTest, WhatIsBeingWrittenStays) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Make(spec_);
  const auto sweeper = MakeSweeper();
  ASSERT_OK_AND_ASSIGN(auto writer, volumes_->Write(id));
  clock_.Advance(std::chrono::hours(1000));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  writer.reset();
  sweeper->Sweep();
  EXPECT_FALSE(Exists(id));
}

TEST_P(SpoolUseTest, AnUploadThatTookLongIsAsYoungAsItsLastChunk) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Make(spec_);
  const auto sweeper = MakeSweeper();
  const std::vector<v1::Chunk> chunks = AllChunks(spec_, kChunk);
  for (const v1::Chunk& chunk : chunks) {
    clock_.Advance(std::chrono::hours(24));
    ASSERT_OK(Upload(id, {chunk}));
    sweeper->Sweep();
    ASSERT_TRUE(Exists(id));
  }
  clock_.Advance(std::chrono::hours(47));
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
  clock_.Advance(std::chrono::hours(47));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id)) << "it has only just been finished";
  clock_.Advance(std::chrono::hours(2));
  sweeper->Sweep();
  EXPECT_FALSE(Exists(id));
}

TEST_P(SpoolUseTest, WhatIsFollowedIsUsed) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Complete("a");
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(47));
  const auto hear = [](const v1::Chunk&) { return true; };
  ASSERT_OK(volumes_->Follow(id, {ToProto(Frame(0))}, hear, [] { return false; }));
  clock_.Advance(std::chrono::hours(47));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
}

TEST_P(SpoolUseTest, AClockSetForwardRemovesNothing) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Complete("a");
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(40));
  clock_.SetWall(std::chrono::hours(24));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  clock_.Advance(std::chrono::hours(9));
  sweeper->Sweep();
  EXPECT_FALSE(Exists(id)) << "49 hours have really passed";
}

TEST_P(SpoolUseTest, AClockSetBackRemovesNothingEarly) {
  SetRules({.upload = absl::Hours(48)});
  const auto sweeper = MakeSweeper();
  clock_.Advance(std::chrono::hours(30));
  clock_.SetWall(-std::chrono::hours(24));
  const std::string id = Complete("a");
  clock_.Advance(std::chrono::hours(47));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  clock_.Advance(std::chrono::hours(2));
  sweeper->Sweep();
  EXPECT_FALSE(Exists(id));
}

TEST_P(SpoolUseTest, NothingGoesByAgeInTheFirstHour) {
  SetRules({.upload = absl::Hours(48)});
  const std::string id = Complete("a");
  clock_.Advance(std::chrono::hours(1000));  // the server was down, or its clock is wrong
  const auto sweeper = MakeSweeper();
  sweeper->Sweep();
  clock_.SetWall(std::chrono::hours(5));
  clock_.Advance(std::chrono::minutes(59));
  sweeper->Sweep();
  EXPECT_TRUE(Exists(id));
  clock_.Advance(std::chrono::minutes(2));
  sweeper->Sweep();
  EXPECT_FALSE(Exists(id));
}

TEST_P(SpoolUseTest, AtTheHighWaterMarkFetchedResultsGoFirst) {
  SetRules({.high_water_percent = 80});
  CompleteResult("result");
  ASSERT_OK(store_->MarkFetched("result"));
  const std::string old = Complete("old", 1);
  clock_.Advance(std::chrono::hours(1));
  const std::string recent = Complete("recent", 2);
  ASSERT_OK_AND_ASSIGN(const int64_t capacity, real_files_->CapacityBytes(options_.directory));
  const auto sweeper = MakeSweeper();
  files_.SetFreeBytes(capacity / 2);
  sweeper->Sweep();
  EXPECT_TRUE(Exists("result"));
  files_.SetFreeBytes(capacity / 10);
  sweeper->Sweep();
  EXPECT_FALSE(Exists("result"));
  EXPECT_FALSE(Exists(old)) << "the disk is still full";
  EXPECT_TRUE(Exists(recent)) << "it was used just now";
}

TEST_P(SpoolUseTest, ResultsThatNobodyFetchedStayAboveTheMark) {
  SetRules({.high_water_percent = 1});
  CompleteResult("result");
  const auto sweeper = MakeSweeper();
  files_.SetFreeBytes(kMiB);
  clock_.Advance(std::chrono::hours(100));
  sweeper->Sweep();
  EXPECT_TRUE(Exists("result"));
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolUseTest, ::testing::Values(FolderKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
