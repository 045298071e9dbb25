#include "server/store/backup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "proto/contract/error.h"
#include "server/store/store.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BackupTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(store_, Store::Open(source_)); }

  void Insert(const std::string& id) {
    VolumeRecord volume{.id = id, .owner = "local"};
    volume.spec.set_type(v1::U8);
    for (const auto set : {&v1::Shape5::set_t, &v1::Shape5::set_c, &v1::Shape5::set_z, &v1::Shape5::set_y})
      (volume.spec.mutable_shape()->*set)(1);
    volume.spec.mutable_shape()->set_x(1000);
    ASSERT_OK(store_->InsertVolume(volume, "", ""));
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const fs::path source_ = folder_.path() / "deconvoy.sqlite";
  const fs::path target_ = folder_.path() / "copy.sqlite";
  std::unique_ptr<Store> store_;
};

TEST_F(BackupTest, HoldsWhatWasCommittedInOneFile) {
  Insert("a");
  ASSERT_OK(BackUpDatabase(source_, target_));
  Insert("b");
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    files += entry.path().filename().string().starts_with("copy") ? 1 : 0;
  EXPECT_EQ(files, 1U);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Store> copy, Store::Open(target_));
  EXPECT_THAT(*copy->AllVolumeIds(), ::testing::ElementsAre("a"));
}

TEST_F(BackupTest, IsForItsOwnerAlone) {
  ASSERT_OK(BackUpDatabase(source_, target_));
  EXPECT_EQ(fs::status(target_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// A worker may still hold a token that the server gave out after the backup was made.
TEST_F(BackupTest, TokensGivenOutLaterAreNotGivenOutAgain) {
  ASSERT_OK(BackUpDatabase(source_, target_));
  uint64_t newest = 0;
  for (int i = 0; i < 1000; ++i) newest = *store_->NextToken();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Store> copy, Store::Open(target_));
  EXPECT_GT(*copy->NextToken(), newest);
}

TEST_F(BackupTest, IsOneMomentOfAStoreThatIsWritten) {
  Insert("v");
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    // Two boxes at a time: a copy has both or neither.
    for (int64_t x = 0; x + 1 < 1000 && !stop; x += 2) {
      const auto box = [](int64_t at) { return CommittedBox{{0, 0, {{0, 0, at}, {1, 1, 1}}}, 7}; };
      EXPECT_OK(store_->CommitBoxes("v", {box(x), box(x + 1)}));
    }
  });
  for (int i = 0; i < 3; ++i) {
    const fs::path target = folder_.path() / fmt::format("copy{}.sqlite", i);
    EXPECT_OK(BackUpDatabase(source_, target));
    const auto copy = Store::Open(target);
    EXPECT_OK(copy);
    const auto volume = (*copy)->GetVolume("v");
    EXPECT_OK(volume);
    EXPECT_EQ((*copy)->GetBoxes("v", -1, -1)->size(), static_cast<size_t>(volume->committed_bytes));
    EXPECT_EQ(volume->committed_bytes % 2, 0);
  }
  stop = true;
  writer.join();
}

TEST_F(BackupTest, ReplacesNothing) {
  std::ofstream(target_) << "precious";
  const absl::Status status = BackUpDatabase(source_, target_);
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(status.message()), HasSubstr(target_.string()));
  EXPECT_EQ(fs::file_size(target_), 8U);
}

TEST_F(BackupTest, SaysWhatIsNotThere) {
  EXPECT_EQ(ReasonOf(BackUpDatabase(folder_.path() / "none.sqlite", target_)), v1::NOT_FOUND);
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_EQ(ReasonOf(BackUpDatabase(source_, folder_.path() / "none" / "copy.sqlite")), v1::INVALID_FIELD);
}

TEST_F(BackupTest, OfADamagedDatabaseIsNone) {
  for (int i = 0; i < 300; ++i) Insert(fmt::format("volume-{}", i));
  store_.reset();
  {
    std::fstream file(source_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(20 * 4096, '\x55');
  }
  EXPECT_EQ(ReasonOf(BackUpDatabase(source_, target_)), v1::STORAGE_FAILURE);
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_FALSE(fs::exists(target_.string() + ".partial"));
}

}  // namespace
}  // namespace deconvoy::server
