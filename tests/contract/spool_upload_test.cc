// What every volume store promises about uploads and reads, also when several streams meet.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class SpoolUploadTest : public SpoolContractTest {
 protected:
  const v1::VolumeSpec spec_ = MakeSpec(2, 2, 3, 8, 16);

  std::unique_ptr<VolumeWriter> Writer(const std::string& id) {
    auto writer = volumes_->Write(id);
    EXPECT_OK(writer);
    return *std::move(writer);
  }

  static FrameBox Rows(int64_t z, int64_t y, int64_t rows) { return {0, 0, {{z, y, 0}, {1, rows, 16}}}; }
};

TEST_P(SpoolUploadTest, BoxesInAnyOrderMakeTheVolume) {
  uint64_t salt = 0;
  for (const v1::VoxelType type : {v1::U8, v1::U16, v1::F32}) {
    const v1::VolumeSpec spec = MakeSpec(2, 3, 4, 20, 33, type);
    const std::string id = Make(spec, fmt::format("r{}", ++salt));
    std::vector<v1::Chunk> chunks = AllChunks(spec, 500, salt);
    std::mt19937_64 random(deconvoy::testing::Seed());
    std::shuffle(chunks.begin(), chunks.end(), random);
    ASSERT_OK(Upload(id, chunks));
    ASSERT_OK(volumes_->Finish(id, DigestOf(spec, salt)));
    ExpectContent(id, spec, salt);
  }
}

TEST_P(SpoolUploadTest, OddBoxesMakeTheVolume) {
  const v1::VolumeSpec spec = MakeSpec(1, 1, 4, 6, 10);
  const std::string id = Make(spec);
  const std::vector<Box3> boxes = {
      {{0, 0, 0}, {4, 6, 3}}, {{0, 0, 3}, {2, 4, 7}}, {{2, 0, 3}, {2, 4, 7}}, {{0, 4, 3}, {4, 2, 7}}};
  std::vector<v1::Chunk> chunks;
  for (const Box3& box : boxes) chunks.push_back(ChunkOf(spec, {0, 0, box}));
  ASSERT_OK(Upload(id, chunks));
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec)));
  ExpectContent(id, spec);
}

// The worked example of docs/formats/spool.md.
TEST_P(SpoolUploadTest, BytesLieAsDocumented) {
  const std::string id = Make(MakeSpec(1, 2, 2, 2, 3));
  v1::Chunk chunk;
  *chunk.mutable_box() = ToProto(FrameBox{0, 1, {{0, 0, 1}, {2, 2, 2}}});
  for (char value = 1; value <= 8; ++value) chunk.mutable_data()->append({value, '\0'});
  chunk.set_crc32c(0xedc127c3);
  ASSERT_OK(Upload(id, {chunk}));
  std::string expected(48, '\0');
  for (const auto& [offset, value] :
       std::map<size_t, char>{{26, 1}, {28, 2}, {32, 3}, {34, 4}, {38, 5}, {40, 6}, {44, 7}, {46, 8}}) {
    expected[offset] = value;
  }
  ASSERT_OK_AND_ASSIGN(const auto file, files_.Open(options_.directory / "volumes" / (id + ".raw"), false));
  std::string bytes(48, '?');
  ASSERT_OK(file->ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  EXPECT_TRUE(bytes == expected);
}

TEST_P(SpoolUploadTest, RegionsAreReadInSmallChunksAlsoAcrossTheirBorders) {
  const v1::VolumeSpec spec = MakeSpec(1, 2, 3, 400, 500, v1::F32);
  const std::string id = Make(spec);
  ASSERT_OK(Upload(id, AllChunks(spec, 512 * 1024)));
  ASSERT_OK(volumes_->Finish(id, ""));
  const FrameBox region{0, 1, {{0, 33, 17}, {3, 301, 402}}};
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadRegion(id, spec, region));
  EXPECT_TRUE(bytes == BytesOfBox(spec, region));
  ExpectContent(id, spec);
}

TEST_P(SpoolUploadTest, ReaderMayStop) {
  const v1::VolumeSpec spec = MakeSpec(1, 1, 4, 512, 512);
  const std::string id = Make(spec);
  ASSERT_OK(Upload(id, AllChunks(spec, 512 * 1024)));
  int chunks = 0;
  EXPECT_OK(
      volumes_->Read(id, ToProto(FrameBox{0, 0, {{}, {4, 512, 512}}}), [&](const v1::Chunk&) { return ++chunks < 2; }));
  EXPECT_EQ(chunks, 2);
}

TEST_P(SpoolUploadTest, RegionOutsideIsRefused) {
  const std::string id = Make(spec_);
  const auto ignore = [](const v1::Chunk&) { return true; };
  EXPECT_EQ(ReasonOf(volumes_->Read(id, ToProto(FrameBox{2, 0, {{}, {1, 1, 1}}}), ignore)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(volumes_->Read(id, ToProto(FrameBox{0, 0, {{}, {1, 1, 17}}}), ignore)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(volumes_->Read("none", ToProto(FrameBox{0, 0, {{}, {1, 1, 1}}}), ignore)), v1::NOT_FOUND);
}

TEST_P(SpoolUploadTest, CountsWhatIsDurableAndShowsNothingElse) {
  const std::string id = Make(spec_);
  const auto writer = Writer(id);
  ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(0, 0, 4))));
  ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(0, 4, 4))));
  EXPECT_EQ(writer->uncommitted_bytes(), 8 * 16 * 2);
  EXPECT_EQ(ReasonOf(ReadRegion(id, spec_, Rows(0, 0, 1)).status()), v1::VOLUME_INCOMPLETE);
  ASSERT_OK_AND_ASSIGN(v1::Volume volume, volumes_->Get(id, true));
  EXPECT_EQ(volume.committed_bytes(), 0u);
  ASSERT_OK_AND_ASSIGN(int64_t durable, writer->Commit());
  EXPECT_EQ(durable, 2);
  EXPECT_EQ(writer->uncommitted_bytes(), 0);
  ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(1, 0, 8))));
  ASSERT_OK_AND_ASSIGN(durable, writer->Commit());
  EXPECT_EQ(durable, 3);
  ASSERT_OK_AND_ASSIGN(volume, volumes_->Get(id, true));
  EXPECT_EQ(volume.committed_bytes(), 16u * 16 * 2);
  EXPECT_OK(ReadRegion(id, spec_, {0, 0, {{0, 1, 2}, {2, 6, 9}}}));
  const auto half = ReadRegion(id, spec_, {0, 0, {{1, 0, 0}, {2, 8, 16}}});
  EXPECT_EQ(ReasonOf(half.status()), v1::VOLUME_INCOMPLETE);
  EXPECT_THAT(std::string(half.status().message()), HasSubstr("128 voxels"));
}

TEST_P(SpoolUploadTest, EveryChunkIsCheckedAndTheWriterGoesOn) {
  const std::string id = Make(spec_);
  const auto writer = Writer(id);
  v1::Chunk bad_checksum = ChunkOf(spec_, Rows(0, 0, 1));
  bad_checksum.set_crc32c(bad_checksum.crc32c() ^ 1);
  EXPECT_EQ(ReasonOf(writer->Add(bad_checksum)), v1::CHECKSUM_MISMATCH);
  v1::Chunk short_data = ChunkOf(spec_, Rows(0, 0, 1));
  short_data.mutable_data()->pop_back();
  EXPECT_EQ(ReasonOf(writer->Add(short_data)), v1::INVALID_FIELD);
  v1::Chunk outside = ChunkOf(spec_, Rows(0, 0, 1));
  outside.mutable_box()->set_y(8);
  EXPECT_EQ(ReasonOf(writer->Add(outside)), v1::INVALID_FIELD);
  EXPECT_OK(writer->Add(ChunkOf(spec_, Rows(0, 0, 1))));
  ASSERT_OK_AND_ASSIGN(const int64_t durable, writer->Commit());
  EXPECT_EQ(durable, 1);
}

TEST_P(SpoolUploadTest, TheSameBoxWithTheSameBytesIsAcceptedAgain) {
  const std::string id = Make(spec_);
  const v1::Chunk chunk = ChunkOf(spec_, Rows(0, 0, 2));
  {
    const auto writer = Writer(id);
    ASSERT_OK(writer->Add(chunk));
    ASSERT_OK(writer->Add(chunk));  // in the same group
    ASSERT_OK_AND_ASSIGN(int64_t durable, writer->Commit());
    EXPECT_EQ(durable, 2);
    ASSERT_OK(writer->Add(chunk));  // after its commit
    ASSERT_OK_AND_ASSIGN(durable, writer->Commit());
    EXPECT_EQ(durable, 3);
  }
  ASSERT_OK(Upload(id, {chunk}));  // by another stream
  Reopen();
  ASSERT_OK(Upload(id, {chunk}));  // after a restart
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, false));
  EXPECT_EQ(volume.committed_bytes(), 2u * 16 * 2);
}

TEST_P(SpoolUploadTest, OtherBytesOrOtherBoxesAtTheSamePlaceAreRefused) {
  const std::string id = Make(spec_);
  const auto writer = Writer(id);
  for (int round = 0; round < 2; ++round) {  // first against uncommitted boxes, then against committed ones
    if (round == 0) {
      ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(0, 2, 3))));
    }
    const absl::Status other_bytes = writer->Add(ChunkOf(spec_, Rows(0, 2, 3), 1));
    EXPECT_EQ(ReasonOf(other_bytes), v1::BOX_OVERLAPS);
    EXPECT_THAT(std::string(other_bytes.message()), HasSubstr("other bytes"));
    EXPECT_EQ(ReasonOf(writer->Add(ChunkOf(spec_, Rows(0, 2, 2)))), v1::BOX_OVERLAPS);
    EXPECT_EQ(ReasonOf(writer->Add(ChunkOf(spec_, Rows(0, 4, 2)))), v1::BOX_OVERLAPS);
    EXPECT_EQ(ReasonOf(writer->Add(ChunkOf(spec_, {0, 0, {{0, 0, 5}, {2, 8, 1}}}))), v1::BOX_OVERLAPS);
    ASSERT_OK(writer->Commit());
  }
  EXPECT_OK(writer->Add(ChunkOf(spec_, Rows(0, 5, 3))));
  EXPECT_OK(writer->Add(ChunkOf(spec_, {1, 0, {{0, 2, 0}, {1, 3, 16}}})));  // another frame
  ASSERT_OK(writer->Commit());
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadRegion(id, spec_, Rows(0, 2, 6)));
  EXPECT_TRUE(bytes == BytesOfBox(spec_, Rows(0, 2, 6)));
}

TEST_P(SpoolUploadTest, UploadResumesFromWhatIsMissing) {
  const v1::VolumeSpec spec = MakeSpec(2, 1, 3, 40, 25);
  const std::string id = Make(spec);
  const std::vector<v1::Chunk> chunks = AllChunks(spec, 333);
  std::mt19937_64 random(deconvoy::testing::Seed());
  std::vector<v1::Chunk> some;
  for (const v1::Chunk& chunk : chunks) {
    if (random() % 3 == 0) some.push_back(chunk);
  }
  ASSERT_OK(Upload(id, some));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, true));
  std::vector<v1::Chunk> rest;
  const auto add = [&](const FrameBox& box) {
    rest.push_back(ChunkOf(spec, box));
    return absl::OkStatus();
  };
  for (const v1::Box& box : volume.missing()) ASSERT_OK(ForEachPiece(ToFrameBox(box), spec.type(), 400, add));
  ASSERT_OK(Upload(id, rest));
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec)));
  ExpectContent(id, spec);
}

TEST_P(SpoolUploadTest, CompleteVolumeTakesNoMore) {
  const std::string id = Make(spec_);
  const auto early = Writer(id);
  ASSERT_OK(Upload(id, AllChunks(spec_, 1 << 20)));
  ASSERT_OK(volumes_->Finish(id, ""));
  const auto late = volumes_->Write(id);
  EXPECT_EQ(late.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(late.status()), v1::VOLUME_COMPLETE);
  EXPECT_EQ(ReasonOf(early->Add(ChunkOf(spec_, Rows(0, 0, 1)))), v1::BOX_OVERLAPS);
  ExpectContent(id, spec_);
}

TEST_P(SpoolUploadTest, WriterOfADeletedVolumeFails) {
  const std::string id = Make(spec_);
  const auto writer = Writer(id);
  ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(0, 0, 1))));
  ASSERT_OK(volumes_->Delete(id));
  EXPECT_EQ(ReasonOf(writer->Commit().status()), v1::NOT_FOUND);
}

TEST_P(SpoolUploadTest, TwoStreamsShareAnUncommittedBox) {
  const std::string id = Make(spec_);
  const v1::Chunk chunk = ChunkOf(spec_, Rows(0, 0, 2));
  auto first = Writer(id);
  const auto second = Writer(id);
  ASSERT_OK(first->Add(chunk));
  ASSERT_OK(second->Add(chunk));
  EXPECT_EQ(ReasonOf(second->Add(ChunkOf(spec_, Rows(0, 1, 2)))), v1::BOX_OVERLAPS);
  first.reset();  // its stream breaks
  EXPECT_EQ(ReasonOf(second->Add(ChunkOf(spec_, Rows(0, 1, 2)))), v1::BOX_OVERLAPS) << "the second still has it";
  ASSERT_OK(second->Commit());
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadRegion(id, spec_, Rows(0, 0, 2)));
  EXPECT_TRUE(bytes == chunk.data());
}

TEST_P(SpoolUploadTest, BothStreamsMayCommitTheSharedBox) {
  const std::string id = Make(spec_);
  const v1::Chunk chunk = ChunkOf(spec_, Rows(0, 0, 2));
  const auto first = Writer(id);
  const auto second = Writer(id);
  ASSERT_OK(first->Add(chunk));
  ASSERT_OK(second->Add(chunk));
  ASSERT_OK(first->Commit());
  ASSERT_OK(second->Commit());
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, false));
  EXPECT_EQ(volume.committed_bytes(), 2u * 16 * 2);
}

TEST_P(SpoolUploadTest, WhatABrokenStreamLeftMayBeSentOtherwise) {
  const std::string id = Make(spec_);
  {
    const auto broken = Writer(id);
    ASSERT_OK(broken->Add(ChunkOf(spec_, Rows(0, 0, 5), 1)));
  }
  ASSERT_OK(Upload(id, AllChunks(spec_, 300)));
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
  ExpectContent(id, spec_);
}

TEST_P(SpoolUploadTest, ManyStreamsAtOnce) {
  const v1::VolumeSpec spec = MakeSpec(2, 2, 6, 32, 32);
  const std::string id = Make(spec);
  const std::vector<v1::Chunk> chunks = AllChunks(spec, 400);
  std::vector<std::thread> threads;
  for (size_t k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      // Each sends three quarters of the boxes, so that every box comes from three streams.
      auto writer = volumes_->Write(id);
      ASSERT_OK(writer);
      for (size_t i = 0; i < chunks.size(); ++i) {
        if (i % 4 != k) EXPECT_OK((*writer)->Add(chunks[i]));
        if (i % 16 == k) EXPECT_OK((*writer)->Commit());
      }
      EXPECT_OK((*writer)->Commit());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec)));
  ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, true));
  EXPECT_EQ(volume.committed_bytes(), volume.size_bytes());
  ExpectContent(id, spec);
}

// Planes that no multiple of the disk's blocks ends, in chunks long enough to be written past the page cache.
TEST_P(SpoolUploadTest, WhatCameInOrderIsNotReadAgainForItsDigest) {
  const v1::VolumeSpec spec = MakeSpec(1, 2, 3, 701, 397);
  const auto reads_to_finish = [&](uint64_t salt, const std::function<void(const std::string& id)>& upload) {
    const std::string id = Make(spec, fmt::format("salt-{}", salt));
    upload(id);
    files_.FailAt(2, deconvoy::testing::Fault::kIoError);  // after the file has been opened
    EXPECT_NE(ReasonOf(volumes_->Finish(id, DigestOf(spec, salt)).status()), v1::DIGEST_MISMATCH);
    const bool reads = files_.failed();
    files_.FailAt(0, deconvoy::testing::Fault::kIoError);
    EXPECT_OK(volumes_->Finish(id, DigestOf(spec, salt)));
    ExpectContent(id, spec, salt);
    return reads;
  };
  const auto chunks = [&](uint64_t salt) { return AllChunks(spec, 512 * 1024, salt); };
  EXPECT_FALSE(reads_to_finish(1, [&](const std::string& id) { ASSERT_OK(Upload(id, chunks(1))); }));
  EXPECT_TRUE(reads_to_finish(2, [&](const std::string& id) {
    for (const v1::Chunk& chunk : chunks(2)) ASSERT_OK(Upload(id, {chunk}));  // streams end within planes
  }));
  EXPECT_TRUE(reads_to_finish(3, [&](const std::string& id) {
    ASSERT_OK(Upload(id, chunks(3)));
    Reopen();
  }));
}

TEST_P(SpoolUploadTest, BoxesAreAddedWhileThoseBeforeAreCommitted) {
  const v1::VolumeSpec spec = MakeSpec(1, 1, 40, 64, 64);
  const std::string id = Make(spec);
  const auto writer = Writer(id);
  std::atomic<bool> adding = true;
  std::thread committer([&] {
    while (adding) EXPECT_OK(writer->Commit());
  });
  for (const v1::Chunk& chunk : AllChunks(spec, 1000)) EXPECT_OK(writer->Add(chunk));
  adding = false;
  committer.join();
  ASSERT_OK(writer->Commit());
  EXPECT_EQ(writer->uncommitted_bytes(), 0);
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec)));
  ExpectContent(id, spec);
}

TEST_P(SpoolUploadTest, TheSameBytesSentTwiceAtOnceAreStoredOnce) {
  const std::string first = Make(spec_, "first"), second = Make(spec_, "second"), third = Make(spec_, "third");
  auto other = Create(spec_, "other", "another owner");
  ASSERT_OK(other);
  for (const std::string& id : {first, second, third, IdOf(*other)}) {
    ASSERT_OK(Upload(id, AllChunks(spec_, 300)));
    ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
  }
  const auto path = [&](const std::string& id) { return volumes_->PathOf(id); };
  EXPECT_TRUE(std::filesystem::equivalent(path(first), path(second)));
  EXPECT_TRUE(std::filesystem::equivalent(path(first), path(third)));
  ASSERT_OK(volumes_->Finish(second, DigestOf(spec_)));  // asked for again
  EXPECT_FALSE(std::filesystem::equivalent(path(first), path(IdOf(*other)))) << "of another owner";
  Reopen();
  ASSERT_OK(volumes_->Delete(first));
  ExpectContent(second, spec_);
  EXPECT_OK(volumes_->Verify(second, {}));
}

TEST_P(SpoolUploadTest, ManyBoxes) {
  const v1::VolumeSpec spec = MakeSpec(1, 1, 400, 100, 1, v1::U8);
  const std::string id = Make(spec);
  ASSERT_OK(Upload(id, AllChunks(spec, 1)));  // 40 000 boxes of one voxel
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec)));
}

TEST_P(SpoolUploadTest, FailedSyncSpendsTheWriterButNotTheVolume) {
  const std::string id = Make(spec_);
  const auto writer = Writer(id);
  ASSERT_OK(writer->Add(ChunkOf(spec_, Rows(0, 0, 2))));
  files_.FailAt(1, deconvoy::testing::Fault::kIoError);
  EXPECT_EQ(ReasonOf(writer->Commit().status()), v1::STORAGE_FAILURE);
  EXPECT_EQ(writer->uncommitted_bytes(), 0);
  EXPECT_EQ(ReasonOf(writer->Commit().status()), v1::STORAGE_FAILURE) << "the lost bytes would count as durable";
  EXPECT_EQ(ReasonOf(writer->Add(ChunkOf(spec_, Rows(0, 2, 2)))), v1::STORAGE_FAILURE);
  ASSERT_OK(Upload(id, AllChunks(spec_, 1 << 20)));
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
}

// Writes down what it is told.
class Notes final : public VolumeListener {
 public:
  void BoxesCommitted(const std::string& volume_id, const std::vector<CommittedBox>& boxes) override {
    lines.push_back(fmt::format("{} +{}", volume_id, boxes.size()));
  }
  void Completed(const std::string& volume_id) override { lines.push_back(volume_id + " complete"); }
  void DigestMismatched(const std::string& volume_id, const absl::Status& error) override {
    lines.push_back(volume_id + " " + v1::ErrorReason_Name(ReasonOf(error)));
  }

  std::vector<std::string> lines;
};

TEST_P(SpoolUploadTest, ListenersHearWhatIsDurable) {
  Notes notes;
  volumes_->SetListener(&notes);
  const std::string id = Make(spec_);
  const std::vector<v1::Chunk> chunks = AllChunks(spec_, 1 << 20);
  ASSERT_EQ(chunks.size(), 4U);
  const auto writer = Writer(id);
  ASSERT_OK(writer->Add(chunks[0]));
  ASSERT_OK(writer->Add(chunks[1]));
  EXPECT_TRUE(notes.lines.empty()) << "not durable yet";
  ASSERT_OK(writer->Commit());
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, "").status()), v1::VOLUME_INCOMPLETE);
  ASSERT_OK(writer->Add(chunks[2]));
  files_.FailAt(1, deconvoy::testing::Fault::kIoError);
  EXPECT_EQ(ReasonOf(writer->Commit().status()), v1::STORAGE_FAILURE);
  ASSERT_OK(Upload(id, {chunks[2], chunks[3]}));
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, std::string(32, 'x')).status()), v1::DIGEST_MISMATCH);
  ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
  EXPECT_EQ(ReasonOf(volumes_->Finish(id, std::string(32, 'x')).status()), v1::DIGEST_MISMATCH);
  EXPECT_EQ(notes.lines, (std::vector<std::string>{id + " +2", id + " +2", id + " DIGEST_MISMATCH", id + " complete"}))
      << "asking a complete volume for another digest changes nothing";
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolUploadTest, ::testing::Values(FolderKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
