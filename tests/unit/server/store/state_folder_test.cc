#include "server/store/state_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class StateFolderTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) { std::ofstream(path_ / name) << text; }
  std::string Read(const std::string& name) {
    std::ifstream file(path_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "above" / "state";
};

TEST_F(StateFolderTest, IsMadeForItsOwnerOnly) {
  ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(path_));
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_EQ(Read("format"), fmt::format("{} {}\n", kStateFolderFormat, DECONVOY_VERSION));
  EXPECT_EQ(state.database(), path_ / "deconvoy.sqlite");
  EXPECT_EQ(state.spool(), path_ / "spool");
  EXPECT_EQ(state.worker_credential(), path_ / "worker.credential");
}

TEST_F(StateFolderTest, SecondServerIsRefusedNamingTheFirst) {
  std::optional<StateFolder> first;
  {
    ASSERT_OK_AND_ASSIGN(StateFolder opened, StateFolder::Open(path_));
    first.emplace(std::move(opened));
  }
  const auto second = StateFolder::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(fmt::format("process {}", getpid())));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(path_.string()));
  first.reset();
  EXPECT_OK(StateFolder::Open(path_));
}

TEST_F(StateFolderTest, OpensAgainWithItsContents) {
  { ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(path_)); }
  Write("deconvoy.sqlite", "something");
  EXPECT_OK(StateFolder::Open(path_));
  EXPECT_EQ(Read("deconvoy.sqlite"), "something");
}

TEST_F(StateFolderTest, NewerFormatIsRefusedNamingBoth) {
  std::filesystem::create_directories(path_);
  Write("format", fmt::format("{} 9.8.7\n", kStateFolderFormat + 1));
  const auto opened = StateFolder::Open(path_);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(opened.status()), v1::INCOMPATIBLE_VERSION);
  const std::string message(opened.status().message());
  EXPECT_THAT(message, HasSubstr(fmt::format("format {}", kStateFolderFormat + 1)));
  EXPECT_THAT(message, HasSubstr("9.8.7"));
  EXPECT_THAT(message, HasSubstr(fmt::format("up to {}", kStateFolderFormat)));
  EXPECT_THAT(InfoOf(opened.status()).remedy(), HasSubstr("newer"));
  std::filesystem::remove(path_ / "format");
  EXPECT_OK(StateFolder::Open(path_));  // the refused folder is not locked
}

TEST_F(StateFolderTest, UnreadableFormatIsRefused) {
  std::filesystem::create_directories(path_);
  Write("format", "banana\n");
  EXPECT_EQ(ReasonOf(StateFolder::Open(path_).status()), v1::INVALID_FIELD);
}

TEST_F(StateFolderTest, FolderWithForeignFilesIsRefusedAndLeftAlone) {
  std::filesystem::create_directories(path_);
  Write("holiday.jpg", "x");
  const auto opened = StateFolder::Open(path_);
  EXPECT_EQ(ReasonOf(opened.status()), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("holiday.jpg"));
  EXPECT_FALSE(std::filesystem::exists(path_ / "format"));
}

TEST_F(StateFolderTest, InterruptedFirstStartIsTakenUp) {
  std::filesystem::create_directories(path_);
  Write("lock", "123\n");
  Write("format.new", "1");
  EXPECT_OK(StateFolder::Open(path_));
  EXPECT_THAT(Read("format"), HasSubstr(DECONVOY_VERSION));
}

TEST_F(StateFolderTest, FileIsNoFolder) {
  std::filesystem::create_directories(path_.parent_path());
  std::ofstream(path_) << "x";
  EXPECT_EQ(ReasonOf(StateFolder::Open(path_).status()), v1::INVALID_FIELD);
}

TEST_F(StateFolderTest, PathBelowAFileIsAnErrorWithThePath) {
  std::filesystem::create_directories(folder_.path());
  std::ofstream(folder_.path() / "file") << "x";
  const auto opened = StateFolder::Open(folder_.path() / "file" / "state");
  EXPECT_EQ(ReasonOf(opened.status()), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("file"));
}

}  // namespace
}  // namespace deconvoy::server
