// What every volume store promises when its process dies.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/observe/crash_hook.h"
#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

// A child does something until a crash point kills it.
class SpoolCrashTest : public SpoolContractTest {
 protected:
  const v1::VolumeSpec spec_ = MakeSpec(2, 2, 3, 8, 16);

  static FrameBox Rows(int64_t z, int64_t y, int64_t rows) { return {0, 0, {{z, y, 0}, {1, rows, 16}}}; }

  // Closes the store, lets a child open it and run `work`, which may write numbers into the given pipe. Returns them,
  // after checking that the child was killed; the store is open again then.
  std::vector<int64_t> RunUntil(const std::string& crash_point, const std::function<void(int pipe)>& work) {
    volumes_.reset();
    store_.reset();
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      SetCrashHook(KillAt(crash_point));
      if (TryReopen().ok()) work(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    std::vector<int64_t> numbers;
    int64_t next = 0;
    while (read(ends[0], &next, sizeof(next)) == sizeof(next)) numbers.push_back(next);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << crash_point << " was not passed";
    Reopen();
    return numbers;
  }

  // Commits after every second chunk and tells how many are acknowledged.
  void UploadInPairs(const std::string& id, const std::vector<v1::Chunk>& chunks, int pipe) {
    auto writer = volumes_->Write(id);
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (!(*writer)->Add(chunks[i]).ok()) _exit(1);
      if (i % 2 == 0) continue;
      const auto durable = (*writer)->Commit();
      if (!durable.ok() || write(pipe, &*durable, sizeof(*durable)) != sizeof(*durable)) _exit(1);
    }
  }
};

TEST_P(SpoolCrashTest, NothingAcknowledgedIsLostAtAnyPointOfACommit) {
  const std::vector<v1::Chunk> chunks = AllChunks(spec_, 256);
  ASSERT_EQ(chunks.size(), 12u);
  const std::vector<std::pair<std::string, int64_t>> cases = {
      {"upload-before-sync:2", 2}, {"upload-before-commit:3", 4}, {"upload-after-commit:1", 2}};
  for (const auto& [crash_point, durable] : cases) {
    const std::string id = Make(spec_, crash_point.substr(0, crash_point.find(':')));
    const std::vector<int64_t> told = RunUntil(crash_point, [&](int pipe) { UploadInPairs(id, chunks, pipe); });
    const int64_t acknowledged = told.empty() ? 0 : told.back();
    ASSERT_OK_AND_ASSIGN(const v1::Volume volume, volumes_->Get(id, true));
    EXPECT_EQ(volume.committed_bytes(), static_cast<uint64_t>(durable) * 256) << crash_point;
    EXPECT_LE(acknowledged, durable) << crash_point;
    for (int64_t i = 0; i < durable; ++i) {
      const v1::Chunk& chunk = chunks[static_cast<size_t>(i)];
      ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadRegion(id, spec_, ToFrameBox(chunk.box())));
      EXPECT_TRUE(bytes == chunk.data()) << crash_point << " lost box " << i;
    }
    ASSERT_OK(Upload(id, chunks));  // the client sends everything again
    ASSERT_OK(volumes_->Finish(id, DigestOf(spec_)));
    ExpectContent(id, spec_);
  }
}

TEST_P(SpoolCrashTest, VolumeIsMadeWhollyOrNotAtAll) {
  const auto create = [this](int) { Create(spec_, "r").IgnoreError(); };
  RunUntil("volume-before-insert", create);
  ASSERT_OK_AND_ASSIGN(auto ids, store_->AllVolumeIds());
  EXPECT_TRUE(ids.empty());
  EXPECT_TRUE(std::filesystem::is_empty(options_.directory / "volumes"));
  RunUntil("volume-after-insert", create);
  ASSERT_OK_AND_ASSIGN(ids, store_->AllVolumeIds());
  ASSERT_EQ(ids.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const v1::Volume again, Create(spec_, "r"));
  EXPECT_EQ(IdOf(again), ids[0]) << "the caller, who got no answer, asks again";
}

TEST_P(SpoolCrashTest, VolumeIsFinishedOnceAndForAll) {
  const std::string id = Make(spec_);
  ASSERT_OK(Upload(id, AllChunks(spec_, 1 << 20)));
  const auto finish = [&](int) { volumes_->Finish(id, "").IgnoreError(); };
  RunUntil("volume-before-complete", finish);
  ASSERT_OK_AND_ASSIGN(v1::Volume volume, volumes_->Get(id, false));
  EXPECT_EQ(volume.state(), v1::WRITING);
  RunUntil("volume-after-complete", finish);
  ASSERT_OK_AND_ASSIGN(volume, volumes_->Get(id, false));
  EXPECT_EQ(volume.state(), v1::COMPLETE);
  ExpectContent(id, spec_);
}

TEST_P(SpoolCrashTest, DeletedVolumeLeavesNoFile) {
  const std::string id = Make(spec_);
  RunUntil("volume-delete-before-file", [&](int) { volumes_->Delete(id).IgnoreError(); });
  EXPECT_EQ(ReasonOf(volumes_->Get(id, false).status()), v1::NOT_FOUND);
  EXPECT_TRUE(std::filesystem::is_empty(options_.directory / "volumes"));
}

TEST_P(SpoolCrashTest, InterruptedTransferShowsNothingAndIsRepeated) {
  InsertResult("result", spec_);
  const std::string bytes = BytesOfBox(spec_, Rows(1, 2, 3));
  const auto deliver = [&]() -> absl::StatusOr<uint32_t> {
    if (const auto path = volumes_->MakeScratch(5, static_cast<int64_t>(bytes.size())); !path.ok())
      return path.status();
    const auto scratch = volumes_->OpenScratch(5, true);
    if (!scratch.ok()) return scratch.status();
    (*scratch)->WriteAt(0, std::as_bytes(std::span(bytes))).IgnoreError();
    return volumes_->Transfer(5, 0, "result", spec_, Rows(1, 2, 3));
  };
  for (const char* crash_point : {"transfer-before-sync", "transfer-after-sync"}) {
    RunUntil(crash_point, [&](int) { deliver().IgnoreError(); });
    EXPECT_EQ(ReasonOf(ReadRegion("result", spec_, Rows(1, 2, 3)).status()), v1::VOLUME_INCOMPLETE);
    EXPECT_TRUE(std::filesystem::is_empty(options_.directory / "scratch"));
  }
  ASSERT_OK_AND_ASSIGN(const uint32_t crc, deliver());
  ASSERT_OK(store_->CommitBoxes("result", {{Rows(1, 2, 3), crc}}));
  ASSERT_OK_AND_ASSIGN(const std::string back, ReadRegion("result", spec_, Rows(1, 2, 3)));
  EXPECT_TRUE(back == bytes);
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolCrashTest, ::testing::Values(FolderKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
