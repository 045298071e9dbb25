#include "server/api/upload.h"

#include <gmock/gmock.h>

#include <atomic>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Counts what it gets; complains about two threads that add, or commit, at once.
class FakeWriter final : public VolumeWriter {
 public:
  absl::Status Add(const v1::Chunk& chunk) override {
    const Busy busy(adding_);
    if (chunk.crc32c() == kBad) return absl::DataLossError("bad chunk");
    bytes_ += static_cast<int64_t>(chunk.data().size());
    ++added_;
    return absl::OkStatus();
  }
  absl::StatusOr<int64_t> Commit() override {
    const Busy busy(committing_);
    ++commits;
    if (fail_commits) return absl::ResourceExhaustedError("disk full");
    const int64_t added = added_, bytes = bytes_;
    while (hold_commits) std::this_thread::sleep_for(milliseconds(1));
    bytes_ -= bytes;
    return durable = added;
  }
  int64_t uncommitted_bytes() const override { return bytes_; }

  static constexpr uint32_t kBad = 666;
  std::atomic<int64_t> commits = 0;
  std::atomic<int64_t> durable = 0;
  std::atomic<bool> fail_commits = false;
  std::atomic<bool> hold_commits = false;

 private:
  struct Busy {
    explicit Busy(std::atomic<int>& count) : count_(count) { EXPECT_EQ(count_++, 0) << "two threads in a writer"; }
    ~Busy() { --count_; }
    std::atomic<int>& count_;
  };
  std::atomic<int> adding_ = 0, committing_ = 0;
  std::atomic<int64_t> bytes_ = 0;
  std::atomic<int64_t> added_ = 0;
};

v1::Chunk ChunkOf(size_t bytes, uint32_t crc = 0) {
  v1::Chunk chunk;
  chunk.set_data(std::string(bytes, 'x'));
  chunk.set_crc32c(crc);
  return chunk;
}

class UploadTest : public ::testing::Test {
 protected:
  Upload::Acknowledge Listener() {
    return [this](int64_t chunks) {
      ++answers_;
      acknowledged_ = chunks;
      return true;
    };
  }
  bool Acknowledged(int64_t chunks) const {
    for (const auto limit = steady_clock::now() + std::chrono::seconds(20); steady_clock::now() < limit;) {
      if (acknowledged_ >= chunks) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  static constexpr milliseconds kNever = std::chrono::hours(1);
  FakeWriter writer_;
  std::atomic<int64_t> acknowledged_ = 0;
  std::atomic<int> answers_ = 0;
};

TEST_F(UploadTest, ACallerInLockStepIsAnsweredAfterEachChunk) {
  Upload upload(writer_, Listener(), {.pause = milliseconds(2), .oldest = kNever});
  for (int i = 1; i <= 5; ++i) {
    ASSERT_OK(upload.Add(ChunkOf(10)));
    ASSERT_TRUE(Acknowledged(i));
  }
  EXPECT_EQ(writer_.commits, 5);
}

TEST_F(UploadTest, ManyBytesAreCommittedWithoutAPause) {
  Upload upload(writer_, Listener(), {.bytes = 1000, .pause = kNever, .oldest = kNever});
  for (int i = 0; i < 10; ++i) ASSERT_OK(upload.Add(ChunkOf(100)));
  EXPECT_TRUE(Acknowledged(10));
}

TEST_F(UploadTest, AnOldChunkIsCommittedThoughOthersKeepComing) {
  Upload upload(writer_, Listener(), {.bytes = 1 << 30, .pause = kNever, .oldest = milliseconds(20)});
  ASSERT_OK(upload.Add(ChunkOf(1)));
  EXPECT_TRUE(Acknowledged(1));
}

TEST_F(UploadTest, ChunksAreTakenWhileThoseBeforeAreCommittedButNotTooMany) {
  writer_.hold_commits = true;
  Upload upload(writer_, Listener(), {.bytes = 100, .pause = kNever, .oldest = kNever, .most_bytes = 500});
  for (int i = 0; i < 5; ++i) ASSERT_OK(upload.Add(ChunkOf(100)));  // the first commit has not ended
  EXPECT_EQ(acknowledged_, 0);
  std::atomic<bool> taken = false;
  std::thread sixth([&] {
    EXPECT_OK(upload.Add(ChunkOf(100)));
    taken = true;
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(taken) << "more than is allowed waits to become durable";
  writer_.hold_commits = false;
  sixth.join();
  EXPECT_OK(upload.Finish());
  EXPECT_EQ(acknowledged_, 6);
}

TEST_F(UploadTest, FinishCommitsTheRestInOneGroup) {
  Upload upload(writer_, Listener(), {.pause = kNever, .oldest = kNever});
  for (int i = 0; i < 7; ++i) ASSERT_OK(upload.Add(ChunkOf(1)));
  EXPECT_OK(upload.Finish());
  EXPECT_EQ(acknowledged_, 7);
  EXPECT_EQ(writer_.commits, 1);
}

TEST_F(UploadTest, NothingAddedMeansNothingCommitted) {
  Upload upload(writer_, Listener());
  EXPECT_OK(upload.Finish());
  EXPECT_EQ(writer_.commits, 0);
}

TEST_F(UploadTest, ABadChunkLeavesTheOnesBeforeItGood) {
  Upload upload(writer_, Listener(), {.pause = kNever, .oldest = kNever});
  ASSERT_OK(upload.Add(ChunkOf(1)));
  EXPECT_EQ(upload.Add(ChunkOf(1, FakeWriter::kBad)).code(), absl::StatusCode::kDataLoss);
  EXPECT_OK(upload.Finish());
  EXPECT_EQ(acknowledged_, 1);
}

TEST_F(UploadTest, AFailedCommitFailsTheUpload) {
  writer_.fail_commits = true;
  Upload upload(writer_, Listener(), {.pause = milliseconds(1), .oldest = kNever});
  absl::Status status;
  for (const auto limit = steady_clock::now() + std::chrono::seconds(20); status.ok() && steady_clock::now() < limit;) {
    status = upload.Add(ChunkOf(1));
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(upload.Finish().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(acknowledged_, 0);
  EXPECT_EQ(answers_, 1) << "a caller who waits must hear of it";
}

TEST_F(UploadTest, AListenerThatLeftStopsNothing) {
  Upload upload(writer_, [](int64_t) { return false; }, {.pause = milliseconds(1), .oldest = kNever});
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(upload.Add(ChunkOf(1)));
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_OK(upload.Finish());
  EXPECT_EQ(writer_.durable, 20);
}

}  // namespace
}  // namespace deconvoy::server
