#include "server/auth/worker_credential.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "proto/contract/error.h"
#include "server/auth/replace_file.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

std::string Content(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

class WorkerCredentialTest : public ::testing::Test {
 protected:
  testing::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "worker.credential";
};

TEST_F(WorkerCredentialTest, TheFileHoldsTheSecretAndIsPrivate) {
  ASSERT_OK_AND_ASSIGN(const WorkerCredential credential, WorkerCredential::Open(file_));
  const std::string content = Content(file_);
  EXPECT_THAT(content, ::testing::MatchesRegex("[0-9a-f]{64}\n"));
  struct stat info {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_OK(credential.Check("Bearer " + content.substr(0, 64)));
}

TEST_F(WorkerCredentialTest, EverythingElseIsRefused) {
  ASSERT_OK_AND_ASSIGN(const WorkerCredential credential, WorkerCredential::Open(file_));
  std::string secret = Content(file_).substr(0, 64);
  const std::string right = "Bearer " + secret;
  secret.back() = secret.back() == '0' ? '1' : '0';
  for (const std::string& wrong : {std::string(), std::string("Bearer "), right.substr(7), right + "0",
                                   right.substr(0, 70), "Bearer " + secret, "bearer " + right.substr(7)}) {
    const absl::Status status = credential.Check(wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_EQ(ReasonOf(status), v1::UNAUTHENTICATED_WORKER) << wrong;
    EXPECT_THAT(std::string(status.message()), ::testing::Not(::testing::HasSubstr(right.substr(7, 8))));
  }
}

TEST_F(WorkerCredentialTest, IsKeptAcrossRestartsUntilItsFileIsDeletedOrDamaged) {
  ASSERT_OK(WorkerCredential::Open(file_));
  const std::string old = Content(file_).substr(0, 64);
  ASSERT_OK_AND_ASSIGN(const WorkerCredential again, WorkerCredential::Open(file_));
  EXPECT_OK(again.Check("Bearer " + old));
  std::ofstream(file_) << old.substr(1);
  ASSERT_OK_AND_ASSIGN(const WorkerCredential other, WorkerCredential::Open(file_));
  EXPECT_NE(Content(file_).substr(0, 64), old);
  EXPECT_FALSE(other.Check("Bearer " + old).ok());
}

TEST_F(WorkerCredentialTest, AFolderThatIsNotThereIsAStorageFailure) {
  const auto credential = WorkerCredential::Open(folder_.path() / "none" / "credential");
  EXPECT_EQ(ReasonOf(credential.status()), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(credential.status().message()), ::testing::HasSubstr("none/credential"));
}

TEST(ReplaceFile, SwapsContentAndModeAndLeavesNoDraft) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "address";
  ASSERT_OK(ReplaceFile(file, "one", 0644));
  ASSERT_OK(ReplaceFile(file, "two", 0640));
  EXPECT_EQ(Content(file), "two");
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace deconvoy::server
