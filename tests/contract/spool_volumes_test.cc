// What every volume store promises about volumes as a whole: making, finishing, deleting, scratch files, order at the
// start.
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SpoolVolumesTest : public SpoolContractTest {
 protected:
  const v1::VolumeSpec spec_ = MakeSpec(2, 2, 3, 8, 16);

  int FilesIn(const std::string& subfolder) {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(options_.directory / subfolder)) {
      ++count;
    }
    return count;
  }

  // Writes all bytes of `box` at the start of a new scratch file.
  void FillScratch(uint64_t token, const FrameBox& box, uint64_t salt = 0) {
    const std::string bytes = BytesOfBox(spec_, box, salt);
    ASSERT_OK(volumes_->MakeScratch(token, static_cast<int64_t>(bytes.size())));
    ASSERT_OK_AND_ASSIGN(const auto scratch, volumes_->OpenScratch(token, true));
    ASSERT_OK(scratch->WriteAt(0, std::as_bytes(std::span(bytes))));
  }
};

TEST_P(SpoolVolumesTest, NewVolumeHasItsSpaceAndMissesEverything) {
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, Create(spec_, "r"));
  EXPECT_EQ(volume.state(), v1::WRITING);
  EXPECT_EQ(volume.size_bytes(), 2u * 2 * 3 * 8 * 16 * 2);
  EXPECT_EQ(volume.committed_bytes(), 0u);
  EXPECT_EQ(volume.create_time().seconds(), absl::ToUnixSeconds(clock_.Wall()));
  ASSERT_EQ(volume.missing_size(), 4);
  EXPECT_EQ(volume.missing(1).c(), 1u);
  EXPECT_EQ(volume.missing(2).t(), 1u);
  EXPECT_EQ(volume.missing(3).size_z(), 3u);
  EXPECT_EQ(std::filesystem::file_size(volumes_->PathOf(IdOf(volume))), volume.size_bytes());
  EXPECT_EQ(volumes_->UsedBytes(), static_cast<int64_t>(volume.size_bytes()));
  ASSERT_OK_AND_ASSIGN(const v1::Volume without, volumes_->Get(IdOf(volume), false));
  EXPECT_EQ(without.missing_size(), 0);
}

TEST_P(SpoolVolumesTest, RepeatedRequestGetsTheSameVolume) {
  ASSERT_OK_AND_ASSIGN(const v1::Volume first, Create(spec_, "r"));
  ASSERT_OK(Upload(IdOf(first), {AllChunks(spec_, 1 << 20).front()}));
  for (int round = 0; round < 2; ++round, Reopen()) {
    ASSERT_OK_AND_ASSIGN(const v1::Volume again, Create(spec_, "r"));
    EXPECT_EQ(again.name(), first.name());
    EXPECT_EQ(again.missing_size(), 3);
  }
  EXPECT_EQ(FilesIn("volumes"), 1);
}

TEST_P(SpoolVolumesTest, OtherRequestUnderTheSameIdIsRefused) {
  ASSERT_OK(Create(spec_, "r"));
  const auto other = Create(MakeSpec(1, 1, 1, 1, 1), "r");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other.status()), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(FilesIn("volumes"), 1);
  EXPECT_OK(Create(MakeSpec(1, 1, 1, 1, 1), "r", "other owner"));
}

TEST_P(SpoolVolumesTest, TheSameRequestFromManyThreadsMakesOneVolume) {
  std::vector<std::thread> threads;
  std::vector<std::string> names(6);
  for (std::string& name : names) {
    threads.emplace_back([&] {
      auto volume = Create(spec_, "r");
      EXPECT_OK(volume);
      name = volume->name();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& name : names) EXPECT_EQ(name, names[0]);
  EXPECT_EQ(FilesIn("volumes"), 1);
}

TEST_P(SpoolVolumesTest, InvalidRequestsAreRefused) {
  EXPECT_EQ(ReasonOf(Create(spec_, "").status()), v1::INVALID_FIELD);
  EXPECT_EQ(Create(MakeSpec(1, 1, 0, 1, 1), "r").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Create(MakeSpec(1 << 20, 1, 1 << 20, 1 << 20, 1 << 20), "r").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FilesIn("volumes"), 0);
}

TEST_P(SpoolVolumesTest, EqualDigestOfTheSameOwnerFindsTheVolume) {
  v1::VolumeSpec spec = spec_;
  spec.set_digest(DigestOf(spec_));
  const std::string id = Make(spec, "first");
  ASSERT_OK(Upload(id, AllChunks(spec_, 1 << 20)));
  ASSERT_OK_AND_ASSIGN(const v1::Volume early, Create(spec, "early"));
  EXPECT_EQ(IdOf(early), id) << "nobody is writing it, so it is gone on with";
  EXPECT_EQ(early.state(), v1::WRITING);
  ASSERT_OK(volumes_->Finish(id, ""));

  spec.set_display_name("another name");
  ASSERT_OK_AND_ASSIGN(const v1::Volume found, Create(spec, "second"));
  EXPECT_EQ(IdOf(found), id);
  EXPECT_EQ(found.state(), v1::COMPLETE);
  EXPECT_EQ(found.missing_size(), 0);
  ASSERT_OK_AND_ASSIGN(const v1::Volume of_other_owner, Create(spec, "third", "other"));
  EXPECT_NE(IdOf(of_other_owner), id);
}

TEST_P(SpoolVolumesTest, EqualDigestOfAnotherShapeIsAnotherVolume) {
  // The digest speaks of planes, which these two have in common.
  v1::VolumeSpec stack = MakeSpec(1, 1, 6, 4, 4);
  v1::VolumeSpec film = MakeSpec(6, 1, 1, 4, 4);
  ASSERT_EQ(DigestOf(stack), DigestOf(film));
  const std::string id = Make(stack, "first");
  ASSERT_OK(Upload(id, AllChunks(stack, 1 << 20)));
  ASSERT_OK(volumes_->Finish(id, ""));
  film.set_digest(DigestOf(film));
  ASSERT_OK_AND_ASSIGN(const v1::Volume second, Create(film, "second"));
  EXPECT_NE(IdOf(second), id);
  EXPECT_EQ(second.state(), v1::WRITING);
}

TEST_P(SpoolVolumesTest, NoRoomIsDiskFullAndLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(const int64_t free, volumes_->FreeBytes());
  options_.keep_free_bytes = free + (int64_t{1} << 40);
  Reopen();
  const auto refused = Create(spec_, "r");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  const v1::ErrorInfo info = InfoOf(refused.status());
  EXPECT_EQ(info.reason(), v1::DISK_FULL);
  EXPECT_THAT(info.metadata().at("path"), HasSubstr("spool"));
  EXPECT_EQ(info.metadata().at("need_bytes"), "3072");
  EXPECT_EQ(info.metadata().at("free_bytes"), "0");
  EXPECT_NE(info.remedy(), "");
  EXPECT_EQ(FilesIn("volumes"), 0);
  EXPECT_EQ(volumes_->UsedBytes(), 0);
  options_.keep_free_bytes = 0;
  Reopen();
  EXPECT_OK(Create(spec_, "r"));
}

TEST_P(SpoolVolumesTest, FailedCreationTakesNoSpace) {
  int64_t n = 0;
  absl::Status status = absl::UnknownError("not tried yet");
  while (!status.ok()) {
    ASSERT_EQ(volumes_->UsedBytes(), 0) << "after operation " << n << " failed";
    ASSERT_EQ(FilesIn("volumes"), 0) << "after operation " << n << " failed";
    files_.FailAt(++n, deconvoy::testing::Fault::kIoError);
    status = Create(spec_, "r").status();
  }
  EXPECT_GE(n, 5);
}

TEST_P(SpoolVolumesTest, FinishChecksCompletenessAndDigest) {
  const std::string id = Make(spec_);
  std::vector<v1::Chunk> chunks = AllChunks(spec_, 256);
  const v1::Chunk last = chunks[5];
  chunks.erase(chunks.begin() + 5);
  ASSERT_OK(Upload(id, chunks));
  const auto incomplete = volumes_->Finish(id, "");
  EXPECT_EQ(incomplete.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(incomplete.status()), v1::VOLUME_INCOMPLETE);
  EXPECT_THAT(std::string(incomplete.status().message()), HasSubstr("misses 1 boxes"));
  EXPECT_THAT(std::string(incomplete.status().message()), HasSubstr("t=0 c=1 z=2 y=0 x=0 of 1x8x16"));
  EXPECT_EQ(InfoOf(incomplete.status()).metadata().at("missing_boxes"), "1");

  ASSERT_OK(Upload(id, {last}));
  const auto wrong = volumes_->Finish(id, std::string(32, 'x'));
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(wrong.status()), v1::DIGEST_MISMATCH);
  ASSERT_OK_AND_ASSIGN(const v1::Volume still, volumes_->Get(id, true));
  EXPECT_EQ(still.state(), v1::WRITING);
  EXPECT_EQ(still.missing_size(), 0);

  ASSERT_OK_AND_ASSIGN(const v1::Volume complete, volumes_->Finish(id, DigestOf(spec_)));
  EXPECT_EQ(complete.state(), v1::COMPLETE);
  EXPECT_EQ(complete.spec().digest(), DigestOf(spec_));
  EXPECT_OK(volumes_->Finish(id, ""));
  EXPECT_OK(volumes_->Finish(id, DigestOf(spec_)));
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, std::string(32, 'x')).status()), v1::DIGEST_MISMATCH);
}

TEST_P(SpoolVolumesTest, AnnouncedDigestIsChecked) {
  v1::VolumeSpec spec = spec_;
  spec.set_digest(std::string(32, 'x'));
  const std::string id = Make(spec);
  ASSERT_OK(Upload(id, AllChunks(spec_, 1 << 20)));
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, "").status()), v1::DIGEST_MISMATCH);
}

TEST_P(SpoolVolumesTest, DeletedVolumeIsGoneWithItsBytes) {
  const std::string id = Make(spec_);
  const std::filesystem::path path = volumes_->PathOf(id);
  ASSERT_OK(volumes_->Delete(id));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(volumes_->UsedBytes(), 0);
  EXPECT_EQ(ReasonOf(volumes_->Get(id, false).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(volumes_->Delete(id)), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(volumes_->Write(id).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, "").status()), v1::NOT_FOUND);
}

TEST_P(SpoolVolumesTest, VolumeOfARunningJobStays) {
  const std::string id = Make(spec_);
  InsertJobUsing(id);
  const absl::Status refused = volumes_->Delete(id);
  EXPECT_EQ(ReasonOf(refused), v1::VOLUME_IN_USE);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("jobs/job1"));
  EXPECT_TRUE(std::filesystem::exists(volumes_->PathOf(id)));
  EXPECT_OK(volumes_->Get(id, false));
}

TEST_P(SpoolVolumesTest, ResultOfAJobTakesNoUploads) {
  InsertResult("result", spec_);
  EXPECT_EQ(volumes_->Write("result").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(volumes_->Finish("result", "").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(SpoolVolumesTest, ReservedFileGoesWhenDiscardedOrAtTheNextStart) {
  ASSERT_OK(volumes_->Reserve("one", spec_));
  ASSERT_OK(volumes_->Reserve("two", spec_));
  EXPECT_EQ(volumes_->UsedBytes(), 2 * BytesOf(spec_));
  volumes_->Discard("one");
  EXPECT_EQ(FilesIn("volumes"), 1);
  Reopen();
  EXPECT_EQ(FilesIn("volumes"), 0);
  EXPECT_EQ(volumes_->UsedBytes(), 0);
}

TEST_P(SpoolVolumesTest, ScratchFilesHaveSpaceAndGoAtTheNextStart) {
  ASSERT_OK_AND_ASSIGN(const auto path, volumes_->MakeScratch(7, 1000));
  EXPECT_EQ(std::filesystem::file_size(path), 1000u);
  EXPECT_EQ(volumes_->UsedBytes(), 1000);
  EXPECT_FALSE(volumes_->MakeScratch(7, 1000).ok()) << "a token has one scratch file";
  volumes_->RemoveScratch(7);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(volumes_->UsedBytes(), 0);
  EXPECT_FALSE(volumes_->OpenScratch(7, false).ok());
  ASSERT_OK(volumes_->MakeScratch(8, 0));
  Reopen();
  EXPECT_EQ(FilesIn("scratch"), 0);
  EXPECT_OK(volumes_->MakeScratch(8, 10));
}

TEST_P(SpoolVolumesTest, TransferMovesABoxAndTellsItsChecksum) {
  InsertResult("result", spec_);
  const FrameBox box{1, 0, {{1, 2, 3}, {2, 5, 7}}};
  const std::string bytes = BytesOfBox(spec_, box);
  ASSERT_OK(volumes_->MakeScratch(3, static_cast<int64_t>(bytes.size()) + 10));
  ASSERT_OK_AND_ASSIGN(const auto scratch, volumes_->OpenScratch(3, true));
  ASSERT_OK(scratch->WriteAt(10, std::as_bytes(std::span(bytes))));
  ASSERT_OK_AND_ASSIGN(const uint32_t crc, volumes_->Transfer(3, 10, "result", spec_, box));
  EXPECT_EQ(crc, Crc32c(std::as_bytes(std::span(bytes))));
  EXPECT_EQ(ReasonOf(ReadRegion("result", spec_, box).status()), v1::VOLUME_INCOMPLETE) << "not recorded yet";
  ASSERT_OK(store_->CommitBoxes("result", {{box, crc}}));
  ASSERT_OK_AND_ASSIGN(const std::string back, ReadRegion("result", spec_, box));
  EXPECT_TRUE(back == bytes);
}

TEST_P(SpoolVolumesTest, LargeTransferIsExact) {
  const v1::VolumeSpec spec = MakeSpec(1, 1, 5, 300, 700, v1::F32);
  InsertResult("result", spec);
  const FrameBox box{0, 0, {{1, 10, 20}, {3, 280, 650}}};
  const std::string bytes = BytesOfBox(spec, box);
  ASSERT_OK(volumes_->MakeScratch(3, static_cast<int64_t>(bytes.size())));
  ASSERT_OK_AND_ASSIGN(const auto scratch, volumes_->OpenScratch(3, true));
  ASSERT_OK(scratch->WriteAt(0, std::as_bytes(std::span(bytes))));
  ASSERT_OK_AND_ASSIGN(const uint32_t crc, volumes_->Transfer(3, 0, "result", spec, box));
  EXPECT_EQ(crc, Crc32c(std::as_bytes(std::span(bytes))));
  ASSERT_OK(store_->CommitBoxes("result", {{box, crc}}));
  ASSERT_OK_AND_ASSIGN(const std::string back, ReadRegion("result", spec, box));
  EXPECT_TRUE(back == bytes);
}

TEST_P(SpoolVolumesTest, TransferNeverTouchesCommittedVoxels) {
  InsertResult("result", spec_);
  const FrameBox box{0, 0, {{0, 0, 0}, {2, 8, 16}}};
  FillScratch(1, box);
  ASSERT_OK_AND_ASSIGN(const uint32_t crc, volumes_->Transfer(1, 0, "result", spec_, box));
  ASSERT_OK(store_->CommitBoxes("result", {{box, crc}}));

  FillScratch(2, box);
  ASSERT_OK_AND_ASSIGN(const uint32_t again, volumes_->Transfer(2, 0, "result", spec_, box));
  EXPECT_EQ(again, crc) << "the same bytes again are fine";
  FillScratch(3, box, 1);
  EXPECT_EQ(ReasonOf(volumes_->Transfer(3, 0, "result", spec_, box).status()), v1::BOX_OVERLAPS);
  const FrameBox shifted{0, 0, {{1, 0, 0}, {2, 8, 16}}};
  FillScratch(4, shifted);
  EXPECT_EQ(ReasonOf(volumes_->Transfer(4, 0, "result", spec_, shifted).status()), v1::BOX_OVERLAPS);
  ASSERT_OK_AND_ASSIGN(const std::string back, ReadRegion("result", spec_, box));
  EXPECT_TRUE(back == BytesOfBox(spec_, box));
}

TEST_P(SpoolVolumesTest, TransferOutsideTheVolumeIsRefused) {
  InsertResult("result", spec_);
  ASSERT_OK(volumes_->MakeScratch(1, 10'000));
  EXPECT_EQ(ReasonOf(volumes_->Transfer(1, 0, "result", spec_, {0, 0, {{0, 0, 1}, {1, 1, 16}}}).status()),
            v1::INVALID_FIELD);
  EXPECT_FALSE(volumes_->Transfer(1, 9'999, "result", spec_, {0, 0, {{}, {1, 1, 16}}}).ok());
}

TEST_P(SpoolVolumesTest, NonceIsSecretAndNewAtEveryStart) {
  const std::string first = volumes_->nonce();
  const std::filesystem::path path = options_.directory / "nonce";
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), first);
  EXPECT_GE(first.size(), 32u);
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Reopen();
  EXPECT_NE(volumes_->nonce(), first);
}

TEST_P(SpoolVolumesTest, StartRemovesStrayVolumesOnly) {
  const std::string id = Make(spec_);
  std::ofstream(options_.directory / "volumes" / "stray.raw") << "x";
  std::ofstream(options_.directory / "volumes" / "notes.txt") << "x";
  Reopen();
  EXPECT_FALSE(std::filesystem::exists(options_.directory / "volumes" / "stray.raw"));
  EXPECT_TRUE(std::filesystem::exists(options_.directory / "volumes" / "notes.txt"));
  EXPECT_TRUE(std::filesystem::exists(volumes_->PathOf(id)));
  EXPECT_EQ(volumes_->UsedBytes(), BytesOf(spec_));
}

TEST_P(SpoolVolumesTest, StartNamesAMissingFileAndRemovesNothing) {
  const std::string id = Make(spec_);
  const std::filesystem::path path = volumes_->PathOf(id);
  const std::filesystem::path stray = options_.directory / "volumes" / "stray.raw";
  std::filesystem::rename(path, stray);
  const absl::Status status = TryReopen();
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string()));
  EXPECT_EQ(InfoOf(status).metadata().at("volume"), VolumeName(id));
  EXPECT_TRUE(std::filesystem::exists(stray)) << "what may be the lost file was removed";
}

TEST_P(SpoolVolumesTest, StartNamesAFileOfTheWrongSize) {
  const std::string id = Make(spec_);
  const std::filesystem::path path = volumes_->PathOf(id);
  std::filesystem::resize_file(path, 100);
  const absl::Status status = TryReopen();
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string() + " has 100 bytes"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("3072"));
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolVolumesTest, ::testing::Values(FolderKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
