#include "client/cli/private_folder.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

namespace fs = std::filesystem;

TEST(PrivateFolderTest, IsForItsUserAloneAndGoesWithEverythingInIt) {
  const testing::TemporaryFolder base;
  fs::path path;
  {
    ASSERT_OK_AND_ASSIGN(const auto folder, PrivateFolder::Make(base.path()));
    path = folder->path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    EXPECT_TRUE(fs::exists(folder->log()));
    fs::create_directories(path / "spool" / "volumes");
  }
  EXPECT_FALSE(fs::exists(path));
}

// A private server that fails at its start removes the folder before it ends.
TEST(PrivateFolderTest, TheLogCanBeReadWhenItsFileIsGone) {
  const testing::TemporaryFolder base;
  ASSERT_OK_AND_ASSIGN(const auto folder, PrivateFolder::Make(base.path()));
  EXPECT_EQ(folder->EndOfLog(), "");
  std::ofstream(folder->log(), std::ios::app) << std::string(100'000, 'x') << "\nwhat went wrong\n";
  fs::remove_all(folder->path());
  EXPECT_TRUE(folder->EndOfLog().ends_with("\nwhat went wrong\n"));
  EXPECT_LT(folder->EndOfLog().size(), 10'000u);
}

TEST(PrivateFolderTest, SaysWhereItCannotBeMade) {
  const auto folder = PrivateFolder::Make("/nonexistent/scratch");
  EXPECT_THAT(std::string(folder.status().message()), ::testing::HasSubstr("/nonexistent/scratch"));
}

TEST(PrivateFolderTest, ALongPathLeavesTheSocketElsewhere) {
  const testing::TemporaryFolder base;
  const fs::path deep = base.path() / std::string(100, 'd');
  fs::create_directory(deep);
  ASSERT_OK_AND_ASSIGN(const auto folder, PrivateFolder::Make(deep));
  EXPECT_LT(folder->socket().string().size(), 107u);
}

// A folder whose maker was killed: its lock is gone with the process.
fs::path Abandon(const fs::path& base) {
  const pid_t child = fork();
  if (child == 0) {
    const auto folder = PrivateFolder::Make(base);
    if (folder.ok()) std::ofstream((*folder)->path() / "voxels") << "many";
    _exit(folder.ok() ? 0 : 1);  // no destructor runs
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return fs::directory_iterator(base)->path();
}

TEST(PrivateFolderTest, TheSweepTakesWhatNobodyUses) {
  const testing::TemporaryFolder base;
  const fs::path abandoned = Abandon(base.path());
  ASSERT_TRUE(fs::exists(abandoned / "voxels"));
  ASSERT_OK_AND_ASSIGN(const auto used, PrivateFolder::Make(base.path()));
  SweepPrivateFolders(base.path());
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(used->log()));
}

TEST(PrivateFolderTest, TheSweepLeavesWhatOnlyLooksAlike) {
  const testing::TemporaryFolder base;
  const fs::path abandoned = Abandon(base.path());
  const fs::path others = base.path() / "deconvoy-private";
  fs::create_directory(others);
  fs::copy_file(abandoned / "log", others / "log");
  fs::permissions(abandoned, fs::perms::others_read, fs::perm_options::add);
  SweepPrivateFolders(base.path());
  EXPECT_TRUE(fs::exists(others / "log"));
  EXPECT_TRUE(fs::exists(abandoned)) << "it is not private";
  fs::permissions(abandoned, fs::perms::owner_all);
  fs::remove(abandoned / "log");
  SweepPrivateFolders(base.path());
  EXPECT_TRUE(fs::exists(abandoned)) << "it may be in the making";
  SweepPrivateFolders("/nonexistent/scratch");
}

// The server holds the descriptor, and may outlive the command that started it.
TEST(PrivateFolderTest, AProcessWithTheDescriptorKeepsTheFolder) {
  const testing::TemporaryFolder base;
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t command = fork();
  if (command == 0) {
    const auto folder = PrivateFolder::Make(base.path());
    if (fork() == 0) {
      char go = 0;
      close(done[1]);
      (void)!write(ready[1], "r", 1);
      (void)!read(done[0], &go, 1);  // until the test closes its end
    }
    _exit(0);
  }
  waitpid(command, nullptr, 0);
  char said = 0;
  ASSERT_EQ(read(ready[0], &said, 1), 1);
  SweepPrivateFolders(base.path());
  EXPECT_FALSE(fs::is_empty(base.path()));
  close(ready[1]);
  close(done[1]);
  EXPECT_EQ(read(ready[0], &said, 1), 0) << "the server has ended";
  SweepPrivateFolders(base.path());
  EXPECT_TRUE(fs::is_empty(base.path()));
}

}  // namespace
}  // namespace deconvoy::client
