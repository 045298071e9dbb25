// What every volume store promises of reading a volume while it is written.
#include <atomic>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

// One who follows a volume in a thread of its own, and keeps what comes.
class Reader {
 public:
  Reader(VolumeStore& volumes, const std::string& id, const v1::VolumeSpec& spec, std::vector<FrameBox> regions)
      : spec_(spec), done_(std::async(std::launch::async, [this, &volumes, id, regions = std::move(regions)] {
          std::vector<v1::Box> boxes;
          for (const FrameBox& region : regions) boxes.push_back(ToProto(region));
          return volumes.Follow(
              id, boxes, [this](const v1::Chunk& chunk) { return Take(chunk); }, [this] { return gone.load(); });
        })) {}

  ~Reader() { gone = true; }

  absl::Status Wait() { return done_.get(); }
  // Until so many voxels have come.
  bool HasCome(int64_t voxels) {
    for (int i = 0; i < 3000 && received() < voxels; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return received() == voxels;
  }
  int64_t received() const {
    std::lock_guard lock(mutex_);
    return received_;
  }
  // How often the voxel at each place of the volume has come.
  std::map<int64_t, int> Times() const {
    std::lock_guard lock(mutex_);
    return times_;
  }

  std::atomic<bool> gone = false;

 private:
  bool Take(const v1::Chunk& chunk) {
    const FrameBox box = ToFrameBox(chunk.box());
    EXPECT_EQ(chunk.crc32c(), Crc32c(std::as_bytes(std::span(chunk.data()))));
    EXPECT_TRUE(chunk.data() == BytesOfBox(spec_, box)) << box.t << " " << box.c;
    std::lock_guard lock(mutex_);
    const Shape5 shape = ShapeOf(spec_);
    EXPECT_OK(ForEachRun(shape, spec_.type(), box, [&](const ByteRun& run) {
      for (int64_t i = 0; i < run.bytes; i += 2) ++times_[run.volume_offset / 2 + i / 2];
      return absl::OkStatus();
    }));
    received_ += box.box.shape.voxels();
    return true;
  }

  const v1::VolumeSpec spec_;
  mutable std::mutex mutex_;
  std::map<int64_t, int> times_;
  int64_t received_ = 0;
  std::future<absl::Status> done_;
};

class SpoolFollowTest : public SpoolContractTest {
 protected:
  // Planes [z, z + planes) of a frame.
  static FrameBox Planes(int64_t t, int64_t c, int64_t z, int64_t planes) {
    return {t, c, {{z, 0, 0}, {planes, 8, 16}}};
  }
  std::vector<FrameBox> AllFrames() const {
    std::vector<FrameBox> frames;
    for (int64_t t = 0; t < 2; ++t) {
      for (int64_t c = 0; c < 2; ++c) frames.push_back(Planes(t, c, 0, 4));
    }
    return frames;
  }
  void Write(const std::string& id, const std::vector<FrameBox>& boxes) {
    std::vector<v1::Chunk> chunks;
    for (const FrameBox& box : boxes) chunks.push_back(ChunkOf(spec_, box));
    ASSERT_OK(Upload(id, chunks));
  }

  const v1::VolumeSpec spec_ = MakeSpec(2, 2, 4, 8, 16);
};

TEST_P(SpoolFollowTest, BoxesComeOnceAsTheyBecomeDurable) {
  const std::string id = Make(spec_);
  Write(id, {Planes(1, 0, 2, 1), Planes(0, 0, 0, 2)});
  Reader reader(*volumes_, id, spec_, AllFrames());
  ASSERT_TRUE(reader.HasCome(3 * 128)) << reader.received();
  int64_t due = 3 * 128;
  for (const FrameBox& box : {Planes(1, 1, 0, 4), Planes(0, 0, 3, 1), Planes(0, 0, 2, 1), Planes(0, 1, 0, 4)}) {
    Write(id, {box});
    Write(id, {box});  // the same again is no news
    due += box.box.shape.voxels();
    ASSERT_TRUE(reader.HasCome(due)) << reader.received();
  }
  Write(id, {Planes(1, 0, 0, 2), Planes(1, 0, 3, 1)});
  EXPECT_OK(reader.Wait());
  const std::map<int64_t, int> times = reader.Times();
  EXPECT_EQ(times.size(), 4U * 4 * 128);
  for (const auto& [place, count] : times) ASSERT_EQ(count, 1) << place;
}

TEST_P(SpoolFollowTest, WithoutRegionsEveryFrameIsFollowed) {
  const std::string id = Make(spec_);
  Write(id, {Planes(1, 0, 2, 1), Planes(0, 0, 0, 4)});
  Reader reader(*volumes_, id, spec_, {});
  ASSERT_TRUE(reader.HasCome(5 * 128)) << reader.received();
  Write(id, {Planes(1, 1, 0, 4), Planes(1, 0, 0, 2), Planes(0, 1, 0, 4)});
  ASSERT_TRUE(reader.HasCome(15 * 128)) << reader.received();
  Write(id, {Planes(1, 0, 3, 1)});
  EXPECT_OK(reader.Wait());
  const std::map<int64_t, int> times = reader.Times();
  EXPECT_EQ(times.size(), 4U * 4 * 128);
  for (const auto& [place, count] : times) ASSERT_EQ(count, 1) << place;
}

TEST_P(SpoolFollowTest, EndsWithTheLastOfItsRegions) {
  const std::string id = Make(spec_);
  const FrameBox part{0, 1, {{1, 2, 3}, {2, 4, 5}}};
  Reader reader(*volumes_, id, spec_, {part});
  Write(id, {Planes(0, 0, 0, 4), Planes(0, 1, 0, 1), Planes(0, 1, 3, 1)});
  Write(id, {Planes(0, 1, 2, 1)});
  ASSERT_TRUE(reader.HasCome(20)) << reader.received();
  Write(id, {Planes(0, 1, 1, 1)});
  EXPECT_OK(reader.Wait());
  EXPECT_EQ(reader.received(), 40);
}

TEST_P(SpoolFollowTest, OfACompleteVolumeEverythingComesInOrder) {
  const std::string id = Make(spec_);
  ASSERT_OK(Upload(id, AllChunks(spec_, 300)));
  ASSERT_OK(volumes_->Finish(id, ""));
  std::vector<v1::Box> regions;
  for (const FrameBox& frame : AllFrames()) regions.push_back(ToProto(frame));
  std::string bytes;
  const auto take = [&](const v1::Chunk& chunk) {
    bytes += chunk.data();
    return true;
  };
  ASSERT_OK(volumes_->Follow(id, regions, take, [] { return false; }));
  ASSERT_EQ(bytes.size(), 4U * 4 * 128 * 2);
  for (size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], ByteAt(static_cast<int64_t>(i))) << i;
}

TEST_P(SpoolFollowTest, BoxesOfAResultComeWhenItsJobHasCommittedThem) {
  InsertResult("result", spec_);
  Reader reader(*volumes_, "result", spec_, AllFrames());
  for (const FrameBox& frame : AllFrames()) {
    const std::string bytes = BytesOfBox(spec_, frame);
    ASSERT_OK(volumes_->MakeScratch(1, static_cast<int64_t>(bytes.size())));
    {
      ASSERT_OK_AND_ASSIGN(const auto scratch, volumes_->OpenScratch(1, true));
      ASSERT_OK(scratch->WriteAt(0, std::as_bytes(std::span(bytes))));
    }
    ASSERT_OK_AND_ASSIGN(const uint32_t crc, volumes_->Transfer(1, 0, "result", spec_, frame));
    volumes_->RemoveScratch(1);
    ASSERT_OK(store_->CommitBoxes("result", {{frame, crc}}));
    volumes_->Announce("result", {{frame, crc}});
  }
  EXPECT_OK(reader.Wait());
  EXPECT_EQ(reader.received(), 4 * 4 * 128);
}

TEST_P(SpoolFollowTest, ARemovedVolumeIsSaidToBeGone) {
  const std::string id = Make(spec_);
  Write(id, {Planes(0, 0, 0, 1)});
  Reader reader(*volumes_, id, spec_, AllFrames());
  ASSERT_TRUE(reader.HasCome(128));
  ASSERT_OK(volumes_->Delete(id));
  const absl::Status status = reader.Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ReasonOf(status), v1::VOLUME_GONE) << status;
}

TEST_P(SpoolFollowTest, StoppingAndLeavingEndIt) {
  const std::string id = Make(spec_);
  Write(id, {Planes(0, 0, 0, 1)});
  Reader left(*volumes_, id, spec_, AllFrames());
  ASSERT_TRUE(left.HasCome(128));
  left.gone = true;
  const absl::Status cancelled = left.Wait();
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
  EXPECT_NE(ReasonOf(cancelled), v1::VOLUME_GONE);
  Reader stopped(*volumes_, id, spec_, AllFrames());
  ASSERT_TRUE(stopped.HasCome(128));
  volumes_->StopFollowing();
  EXPECT_EQ(ReasonOf(stopped.Wait()), v1::SHUTTING_DOWN);
  Reader late(*volumes_, id, spec_, AllFrames());
  EXPECT_EQ(ReasonOf(late.Wait()), v1::SHUTTING_DOWN);
}

TEST_P(SpoolFollowTest, WhoTakesNoMoreGetsNoMore) {
  const std::string id = Make(spec_);
  ASSERT_OK(Upload(id, AllChunks(spec_, 300)));
  int chunks = 0;
  const auto take = [&](const v1::Chunk&) { return ++chunks < 3; };
  ASSERT_OK(volumes_->Follow(id, {ToProto(Planes(0, 0, 0, 4))}, take, [] { return false; }));
  EXPECT_EQ(chunks, 3);
}

TEST_P(SpoolFollowTest, RefusesWhatIsNotThere) {
  const auto none = [](const v1::Chunk&) { return true; };
  const auto stays = [] { return false; };
  EXPECT_EQ(ReasonOf(volumes_->Follow("nothing", {}, none, stays)), v1::NOT_FOUND);
  const std::string id = Make(spec_);
  EXPECT_EQ(ReasonOf(volumes_->Follow(id, {ToProto(Planes(0, 2, 0, 4))}, none, stays)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(volumes_->Follow(id, {ToProto(Planes(0, 1, 3, 2))}, none, stays)), v1::INVALID_FIELD);
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolFollowTest, ::testing::Values(FolderKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
