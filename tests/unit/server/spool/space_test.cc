#include "server/spool/space.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "proto/contract/error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using deconvoy::testing::Fault;
using deconvoy::testing::FaultyFileSystem;

class SpoolSpaceTest : public ::testing::Test {
 protected:
  const deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "file";
  const std::unique_ptr<FileSystem> real_ = MakePosixFileSystem();
  FaultyFileSystem files_{*real_};
};

TEST_F(SpoolSpaceTest, CountsWhatFilesTake) {
  SpoolSpace space(folder_.path(), 0, "sweep up", files_);
  ASSERT_OK(space.CreateFile(path_, 1000));
  EXPECT_EQ(std::filesystem::file_size(path_), 1000u);
  space.Count(folder_.path() / "other", 50);
  EXPECT_EQ(space.UsedBytes(), 1050);
  space.RemoveFile(path_);
  EXPECT_EQ(space.UsedBytes(), 50);
  EXPECT_FALSE(std::filesystem::exists(path_));
  space.RemoveFile(path_);
  EXPECT_EQ(space.UsedBytes(), 50);
}

TEST_F(SpoolSpaceTest, KeepsSomeOfTheDiskFree) {
  ASSERT_OK_AND_ASSIGN(const int64_t free, real_->FreeBytes(folder_.path()));
  SpoolSpace space(folder_.path(), free + (int64_t{1} << 40), "sweep up", files_);
  ASSERT_OK_AND_ASSIGN(const int64_t left, space.FreeBytes());
  EXPECT_EQ(left, 0);
  const auto created = space.CreateFile(path_, 1);
  EXPECT_EQ(ReasonOf(created.status()), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(created.status()).metadata().at("path"), path_.string());
  EXPECT_EQ(InfoOf(created.status()).metadata().at("need_bytes"), "1");
  EXPECT_EQ(InfoOf(created.status()).metadata().at("free_bytes"), "0");
  EXPECT_EQ(InfoOf(created.status()).remedy(), "sweep up");
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(ReasonOf(space.CheckRoom(1)), v1::DISK_FULL);
  EXPECT_OK(space.CheckRoom(0));
}

// A disk of 1000 bytes, with files that hold none. Reserving takes a while, which ends early when somebody else asks
// for the room meanwhile.
class SmallDisk final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(const std::filesystem::path& /*path*/) override {
    return std::make_unique<EmptyFile>(*this);
  }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path, bool /*writable*/) override {
    return Create(path);
  }
  absl::Status Remove(const std::filesystem::path& /*path*/) override { return absl::OkStatus(); }
  absl::Status Link(const std::filesystem::path& /*existing*/, const std::filesystem::path& /*path*/) override {
    return absl::OkStatus();
  }
  absl::Status MakeDirectories(const std::filesystem::path& /*path*/) override { return absl::OkStatus(); }
  absl::Status SyncDirectory(const std::filesystem::path& /*path*/) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::filesystem::path>> List(const std::filesystem::path& /*path*/) override {
    return std::vector<std::filesystem::path>();
  }
  absl::StatusOr<int64_t> FreeBytes(const std::filesystem::path& /*path*/) override {
    const std::lock_guard lock(mutex_);
    ++asked_;
    changed_.notify_all();
    return free_;
  }
  absl::StatusOr<int64_t> CapacityBytes(const std::filesystem::path& /*path*/) override { return 1000; }

 private:
  class EmptyFile final : public File {
   public:
    explicit EmptyFile(SmallDisk& disk) : disk_(disk) {}
    absl::Status ReadAt(int64_t /*offset*/, std::span<std::byte> /*target*/) const override { return absl::OkStatus(); }
    bool IsCached(int64_t /*offset*/, int64_t /*bytes*/) const override { return true; }
    absl::Status ReadPast(int64_t /*offset*/, std::span<std::byte> /*target*/,
                          std::span<std::byte> /*aligned*/) const override {
      return absl::OkStatus();
    }
    absl::Status WriteAt(int64_t /*offset*/, std::span<const std::byte> /*source*/) override {
      return absl::OkStatus();
    }
    absl::Status Reserve(int64_t bytes) override {
      std::unique_lock lock(disk_.mutex_);
      disk_.changed_.wait_for(lock, std::chrono::milliseconds(200), [this] { return disk_.asked_ > 1; });
      disk_.free_ -= bytes;
      return absl::OkStatus();
    }
    absl::Status Sync() override { return absl::OkStatus(); }
    absl::StatusOr<int64_t> Size() const override { return 0; }

   private:
    SmallDisk& disk_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t free_ = 1000;  // guarded by mutex_
  int asked_ = 0;        // guarded by mutex_
};

TEST_F(SpoolSpaceTest, TwoFilesAtOnceDoNotCountOnTheSameRoom) {
  SmallDisk disk;
  SpoolSpace space(folder_.path(), 300, "sweep up", disk);
  absl::Status one, other;
  std::thread thread([&] { one = space.CreateFile("one", 500).status(); });
  other = space.CreateFile("other", 500).status();
  thread.join();
  EXPECT_NE(one.ok(), other.ok());
  EXPECT_EQ(ReasonOf(one.ok() ? other : one), v1::DISK_FULL);
  EXPECT_EQ(space.UsedBytes(), 500);
}

TEST_F(SpoolSpaceTest, FailedReservationLeavesNothing) {
  SpoolSpace space(folder_.path(), 0, "sweep up", files_);
  files_.FailAt(3, Fault::kNoSpace);  // free space, create, reserve
  const absl::Status full = space.CreateFile(path_, 1000).status();
  EXPECT_EQ(ReasonOf(full), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(full).remedy(), "sweep up");
  EXPECT_TRUE(files_.failed());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(space.UsedBytes(), 0);
}

}  // namespace
}  // namespace deconvoy::server
