#include "worker/pipeline/spool_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

class SpoolFiles : public ::testing::Test {
 protected:
  SpoolFiles() {
    access_.set_volume("volumes/a");
    access_.set_spool_path((folder_.path() / "a").string());
    access_.mutable_spec()->set_type(v1::U8);
    *access_.mutable_spec()->mutable_shape() = ToProto(Shape5{2, 1, 3, 4, 5});
  }

  void Write(size_t bytes) {
    std::ofstream file(access_.spool_path(), std::ios::binary);
    for (size_t i = 0; i < bytes; ++i) file.put(static_cast<char>(i));
  }

  testing::TemporaryFolder folder_;
  v1::VolumeAccess access_;
  SpoolSource source_;
};

TEST_F(SpoolFiles, ReadsABoxOfAFrame) {
  Write(120);
  std::vector<std::byte> target(4);
  ASSERT_OK(source_.Read(access_, {1, 0, {{1, 2, 3}, {1, 2, 2}}}, target));
  EXPECT_EQ(target, (std::vector{std::byte{93}, std::byte{94}, std::byte{98}, std::byte{99}}));
}

TEST_F(SpoolFiles, SaysWhereAFileEndsTooEarly) {
  Write(95);
  std::vector<std::byte> target(4);
  const absl::Status status = source_.Read(access_, {1, 0, {{1, 2, 3}, {1, 2, 2}}}, target);
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_NE(std::string(status.message()).find("ends at byte 98, 2 bytes too early"), std::string::npos) << status;
  EXPECT_EQ(InfoOf(status).metadata().at("path"), access_.spool_path());
}

TEST_F(SpoolFiles, SaysWhichFileIsMissing) {
  std::vector<std::byte> target(1);
  const absl::Status status = source_.Read(access_, {0, 0, {{}, {1, 1, 1}}}, target);
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_NE(std::string(status.message()).find(access_.spool_path()), std::string::npos);
}

TEST_F(SpoolFiles, RefusesABoxOutsideTheVolume) {
  Write(120);
  std::vector<std::byte> target(8);
  EXPECT_FALSE(source_.Read(access_, {1, 0, {{2, 2, 3}, {2, 2, 2}}}, target).ok());
}

TEST_F(SpoolFiles, ScratchTakesBytesInOrder) {
  const auto path = folder_.path() / "scratch";
  std::ofstream(path).put('x');
  ASSERT_OK_AND_ASSIGN(const auto sink, ScratchSink::Open(path));
  const std::string text = "hello";
  ASSERT_OK(sink->Append(std::as_bytes(std::span(text)).first(3)));
  ASSERT_OK(sink->Append(std::as_bytes(std::span(text)).last(2)));
  ASSERT_OK(sink->Close());
  std::string read;
  std::ifstream(path) >> read;
  EXPECT_EQ(read, text);
}

// The server removes it with the lease; the worker must not make it anew.
TEST_F(SpoolFiles, AScratchFileThatIsGoneIsALostLease) {
  const auto path = folder_.path() / "gone";
  EXPECT_EQ(ReasonOf(ScratchSink::Open(path).status()), v1::STALE_LEASE);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScratchSink, AFullDiskIsSaid) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "SKIPPED: there is no /dev/full";
  const auto sink = ScratchSink::Open("/dev/full");
  ASSERT_OK(sink);
  EXPECT_EQ(ReasonOf((*sink)->Append(std::vector<std::byte>(4096))), v1::DISK_FULL);
}

}  // namespace
}  // namespace deconvoy::worker
