#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <thread>

#include "server/fleet/child_process.h"
#include "server/fleet/local_launcher.h"
#include "server/fleet/worker_command.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

class FleetTest : public ::testing::Test {
 protected:
  // A program that runs `script` in a shell.
  std::filesystem::path Program(const std::string& script) const {
    const auto path = folder_.path() / "worker";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

  Command Worker(const std::string& script) const { return {.program = Program(script), .arguments = {}}; }

  std::string Content(const std::string& name) const {
    std::ifstream in(folder_.path() / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Times at which a script that says `date +%s%N >>starts` was started, in milliseconds.
  std::vector<int64_t> Starts() const {
    std::ifstream in(folder_.path() / "starts");
    std::vector<int64_t> times;
    for (int64_t ns = 0; in >> ns;) times.push_back(ns / 1'000'000);
    return times;
  }

  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (const auto limit = steady_clock::now() + std::chrono::seconds(20); steady_clock::now() < limit;) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

  Launcher::ExitListener Listener() {
    return [this](uint32_t id, bool by_signal) {
      const std::lock_guard lock(mutex_);
      exits_.emplace_back(id, by_signal);
    };
  }

  std::vector<std::pair<uint32_t, bool>> Exits() {
    const std::lock_guard lock(mutex_);
    return exits_;
  }

  std::string Note(const std::string& text) const {
    return fmt::format("echo {} >>{}", text, (folder_.path() / "notes").string());
  }
  std::string NoteStart() const { return fmt::format("date +%s%N >>{}", (folder_.path() / "starts").string()); }

  testing::TemporaryFolder folder_;
  std::mutex mutex_;
  std::vector<std::pair<uint32_t, bool>> exits_;
};

TEST_F(FleetTest, AWorkerThatDiesIsReportedAndStartedAgain) {
  LocalLauncher launcher({Worker(NoteStart() + "\nkill -SEGV $$")}, Listener(), {.first = milliseconds(10)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Exits().size() >= 3; }));
  launcher.Stop({});
  const auto exits = Exits();
  EXPECT_TRUE(exits[0].second && exits[1].second);
  EXPECT_NE(exits[0].first, exits[1].first);
}

TEST_F(FleetTest, AnErrorCodeIsNoSignal) {
  LocalLauncher launcher({Worker("exit 3")}, Listener(), {.first = milliseconds(10)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Exits().size() >= 2; }));
  launcher.Stop({});
  EXPECT_FALSE(Exits()[0].second);
}

TEST_F(FleetTest, PausesDoubleUpToTheLongest) {
  LocalLauncher launcher({Worker(NoteStart() + "\nexit 1")}, Listener(),
                         {.first = milliseconds(60), .longest = milliseconds(240)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Starts().size() >= 5; }));
  launcher.Stop({});
  const auto starts = Starts();
  const std::vector<int64_t> least = {60, 120, 240, 240};
  for (size_t i = 0; i < least.size(); ++i) {
    EXPECT_GE(starts[i + 1] - starts[i], least[i] - 2);
    EXPECT_LT(starts[i + 1] - starts[i], 2 * least[i] + 400);
  }
}

TEST_F(FleetTest, AfterAHealthyLifeThereIsNoPause) {
  LocalLauncher launcher(
      {Worker(NoteStart() + "\nsleep 0.05\nexit 1")}, Listener(),
      {.first = std::chrono::minutes(5), .longest = std::chrono::minutes(5), .healthy = milliseconds(40)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Starts().size() >= 3; }));
  launcher.Stop({});
}

TEST_F(FleetTest, AWorkerThatWasAskedToLeaveStaysAway) {
  LocalLauncher launcher({Worker(NoteStart())}, Listener(), {.first = milliseconds(1)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Exits().size() == 1; }));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(Starts().size(), 1u);
}

TEST_F(FleetTest, StopAsksFirst) {
  const Command worker =
      Worker("trap '" + Note("asked") + "; exit 0' TERM\n" + Note("up") + "\nwhile :; do sleep 0.02; done");
  LocalLauncher launcher({worker, worker}, Listener());
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return Content("notes") == "up\nup\n"; }));
  launcher.Stop(std::chrono::seconds(20));
  EXPECT_EQ(Content("notes"), "up\nup\nasked\nasked\n");
  EXPECT_EQ(Exits().size(), 2u);
}

TEST_F(FleetTest, StopForcesThoseThatDoNotListen) {
  LocalLauncher launcher({Worker("trap '' TERM\n" + Note("up") + "\nwhile :; do sleep 0.02; done")}, Listener());
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return !Content("notes").empty(); }));
  const auto before = steady_clock::now();
  launcher.Stop(milliseconds(100));
  EXPECT_GE(steady_clock::now() - before, milliseconds(100));
  EXPECT_LT(steady_clock::now() - before, std::chrono::minutes(1));
  ASSERT_EQ(Exits().size(), 1u);
  EXPECT_FALSE(Exits()[0].second) << "a forced end must not count against the task";
  EXPECT_EQ(kill(static_cast<pid_t>(Exits()[0].first), 0), -1);
}

TEST_F(FleetTest, StopDoesNotWaitForABackoff) {
  LocalLauncher launcher({Worker("exit 1")}, Listener(),
                         {.first = std::chrono::minutes(5), .longest = std::chrono::minutes(5)});
  ASSERT_OK(launcher.Start());
  ASSERT_TRUE(Eventually([&] { return !Exits().empty(); }));
  const auto before = steady_clock::now();
  launcher.Stop(std::chrono::seconds(20));
  EXPECT_LT(steady_clock::now() - before, std::chrono::minutes(1));
}

TEST_F(FleetTest, AChildInheritsNeitherFilesNorBlockedSignals) {
  const int file = open("/dev/null", O_RDONLY);  // without close-on-exec
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, nullptr);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  auto child = ChildProcess::Start(Worker("ls -l /proc/$$/fd; grep SigBlk /proc/self/status"), ends[1]);
  pthread_sigmask(SIG_UNBLOCK, &term, nullptr);
  ASSERT_OK(child);
  EXPECT_EQ((*child)->Wait().code, 0);
  char buffer[4096];
  const ssize_t count = read(ends[0], buffer, sizeof buffer);
  const std::string text(buffer, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  EXPECT_THAT(text, HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr(fmt::format(" {} -> /dev/null", file))));
  for (const int fd : {file, ends[0], ends[1]}) close(fd);
}

TEST_F(FleetTest, AChildEndsWithTheThreadThatStartedIt) {
  std::unique_ptr<ChildProcess> child;
  std::thread([&] {
    auto started = ChildProcess::Start(Worker("exec sleep 60"), STDERR_FILENO);
    if (started.ok()) child = *std::move(started);
  }).join();
  ASSERT_NE(child, nullptr);
  const ProcessEnd end = child->Wait();
  EXPECT_TRUE(end.by_signal);
  EXPECT_EQ(end.code, SIGKILL);
  EXPECT_THAT(end.Text(), HasSubstr("signal 9"));
  child->Signal(SIGKILL);  // to nobody
}

TEST_F(FleetTest, AProgramThatIsNotThereIsAnError) {
  EXPECT_FALSE(ChildProcess::Start({.program = "/none/worker", .arguments = {}}, STDERR_FILENO).ok());
  EXPECT_THAT(std::string(FindWorkerProgram("/none/worker").status().message()),
              HasSubstr("/none/worker is not there"));
  std::ofstream(folder_.path() / "text") << "x";
  EXPECT_THAT(std::string(FindWorkerProgram((folder_.path() / "text").string()).status().message()),
              HasSubstr("may not be run"));
  EXPECT_OK(FindWorkerProgram(Program("true").string()));
}

TEST_F(FleetTest, MethodsComeFromTheProgramItself) {
  const auto program = Program(R"(test "$*" = "--describe --json" || exit 1
echo '{"methods":[{"name":"rl","title":"Richardson-Lucy"},{"name":"later","unknownField":1}]}')");
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Method> methods, DescribeMethods(program));
  ASSERT_EQ(methods.size(), 2u);
  EXPECT_EQ(methods[0].name(), "rl");
  EXPECT_EQ(methods[0].title(), "Richardson-Lucy");
}

TEST_F(FleetTest, ProgramsThatDescribeNothingAreRefused) {
  EXPECT_THAT(std::string(DescribeMethods(Program("exit 4")).status().message()), HasSubstr("exit code 4"));
  EXPECT_THAT(std::string(DescribeMethods(Program("echo hello")).status().message()), HasSubstr("does not describe"));
  EXPECT_THAT(std::string(DescribeMethods(Program("echo '{}'")).status().message()), HasSubstr("no methods"));
}

TEST(ShareOfMachine, IsDividedEvenlyAndNeverNothing) {
  const MachineShare all = ShareOfMachine(1), half = ShareOfMachine(2), crowd = ShareOfMachine(256);
  EXPECT_GE(all.threads, half.threads);
  EXPECT_NEAR(static_cast<double>(all.memory_bytes), 2.0 * static_cast<double>(half.memory_bytes), 4);
  EXPECT_GE(crowd.threads, 1);
  EXPECT_GT(crowd.memory_bytes, 0);
}

}  // namespace
}  // namespace deconvoy::server
