#include "server/spool/space.h"

#include <gtest/gtest.h>

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
