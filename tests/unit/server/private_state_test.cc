#include "server/private_state.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

TEST(PrivateState, TheFolderGoesWithIt) {
  const testing::TemporaryFolder parent;
  const fs::path folder = parent.path() / "state";
  fs::create_directory(folder);
  std::ofstream(folder / "log") << "said before";
  {
    ASSERT_OK_AND_ASSIGN(const auto state, PrivateState::Claim(folder));
    EXPECT_EQ(state->folder(), folder);
    fs::create_directories(folder / "spool" / "volumes");
    std::ofstream(folder / "spool" / "volumes" / "v") << "voxels";
  }
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_TRUE(fs::exists(parent.path()));
}

TEST(PrivateState, AFolderThatIsInUseIsNeitherTakenNorRemoved) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.path() / "thesis.tex") << "years of work";
  EXPECT_EQ(PrivateState::Claim(folder.path()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(folder.path() / "thesis.tex"));
  EXPECT_FALSE(PrivateState::Claim(folder.path() / "thesis.tex").ok());
  EXPECT_TRUE(fs::exists(folder.path() / "thesis.tex"));
}

TEST(PrivateState, WithoutAFolderItMakesOneThatOthersCannotRead) {
  fs::path folder;
  {
    ASSERT_OK_AND_ASSIGN(const auto state, PrivateState::Claim({}));
    folder = state->folder();
    EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  }
  EXPECT_FALSE(fs::exists(folder));
}

TEST(EndWithParent, AProcessWhoseParentEndsGetsATerm) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    if (fork() == 0) {
      const bool ok = EndWithParent().ok();
      sigset_t term;
      sigemptyset(&term);
      sigaddset(&term, SIGTERM);
      sigprocmask(SIG_BLOCK, &term, nullptr);
      (void)!write(ends[1], ok ? "y" : "n", 1);
      int number = 0;
      sigwait(&term, &number);
      (void)!write(ends[1], number == SIGTERM ? "t" : "?", 1);
      _exit(0);
    }
    pause();
    _exit(0);
  }
  char said = 0;
  ASSERT_EQ(read(ends[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  ASSERT_EQ(read(ends[0], &said, 1), 1);
  EXPECT_EQ(said, 't');
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace deconvoy::server
