#include "client/imageio/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

class OutputFileTest : public ::testing::Test {
 protected:
  size_t Entries() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), std::filesystem::directory_iterator()));
  }
  static std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

  const ::deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "file";
};

TEST_F(OutputFileTest, AppearsWhenCommitted) {
  ASSERT_OK_AND_ASSIGN(auto file, OutputFile::Create(path_, 10, true));
  ASSERT_OK(file->WriteAt(5, Bytes("world")));
  ASSERT_OK(file->WriteAt(0, Bytes("hello")));
  EXPECT_FALSE(std::filesystem::exists(path_));
  std::string read(5, ' ');
  ASSERT_OK(file->ReadAt(5, std::as_writable_bytes(std::span(read))));
  EXPECT_EQ(read, "world");
  EXPECT_FALSE(file->ReadAt(6, std::as_writable_bytes(std::span(read))).ok());
  ASSERT_OK(file->Commit());
  file.reset();
  EXPECT_EQ(FileBytes(path_), "helloworld");
  EXPECT_EQ(Entries(), 1U);
}

TEST_F(OutputFileTest, IsGoneWhenDropped) {
  ASSERT_OK_AND_ASSIGN(auto file, OutputFile::Create(path_, 0, true));
  ASSERT_OK(file->WriteAt(0, Bytes("x")));
  file.reset();
  EXPECT_EQ(Entries(), 0U);
}

TEST_F(OutputFileTest, SeveralForOneNameDoNotMeet) {
  ASSERT_OK_AND_ASSIGN(const auto first, OutputFile::Create(path_, 0, true));
  ASSERT_OK_AND_ASSIGN(const auto second, OutputFile::Create(path_, 0, true));
  ASSERT_OK(first->WriteAt(0, Bytes("first")));
  ASSERT_OK(second->WriteAt(0, Bytes("second")));
  ASSERT_OK(first->Commit());
  EXPECT_EQ(FileBytes(path_), "first");
  ASSERT_OK(second->Commit());
  EXPECT_EQ(FileBytes(path_), "second");
}

TEST_F(OutputFileTest, LongNamesWork) {
  const std::filesystem::path path = folder_.path() / std::string(255, 'n');
  ASSERT_OK_AND_ASSIGN(const auto file, OutputFile::Create(path, 0, true));
  ASSERT_OK(file->Commit());
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace deconvoy::imageio::testing
