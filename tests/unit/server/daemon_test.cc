#include "server/daemon.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DaemonTest : public ::testing::Test {
 protected:
  ServerConfig Config(const std::string& state, const std::string& listen) const {
    ServerConfig config;
    config.state_folder = (folder_.path() / state).string();
    config.listen = {listen};
    config.worker_count = 0;
    config.keep_free_bytes = 0;
    config.shutdown_grace_ms = 0;
    return config;
  }
  std::string Socket(const std::string& name) const { return "unix:" + (folder_.path() / name).string(); }
  fs::path Path(const std::string& name) const { return folder_.path() / name; }

  static std::string Content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  testing::TemporaryFolder folder_;
};

TEST_F(DaemonTest, WhileItServesItsAddressesStandInTheStateFolder) {
  ServerConfig config = Config("state", Socket("socket"));
  config.listen.push_back("127.0.0.1:0");
  ASSERT_OK_AND_ASSIGN(auto daemon, Daemon::Start(config));
  EXPECT_THAT(Content(Path("state") / "address"),
              ::testing::MatchesRegex("unix:.*/socket\n127\\.0\\.0\\.1:[1-9][0-9]*\n"));
  struct stat info {};
  ASSERT_EQ(stat((Path("state") / "worker.credential").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  daemon->Stop();
  daemon.reset();
  EXPECT_FALSE(fs::exists(Path("state") / "address"));
  EXPECT_FALSE(fs::exists(Path("socket")));
  ASSERT_OK(Daemon::Start(config));  // the lock is free again
}

TEST_F(DaemonTest, AStateFolderInUseLeavesTheOtherServerAlone) {
  ASSERT_OK_AND_ASSIGN(const auto daemon, Daemon::Start(Config("state", Socket("a"))));
  const auto second = Daemon::Start(Config("state", Socket("b")));
  EXPECT_EQ(ExitCodeOf(second.status()), 3);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
  EXPECT_TRUE(fs::exists(Path("state") / "address"));
  EXPECT_FALSE(fs::exists(Path("b")));
}

TEST_F(DaemonTest, AnAddressInUseHasItsOwnExitCode) {
  ASSERT_OK_AND_ASSIGN(const auto daemon, Daemon::Start(Config("state", Socket("a"))));
  const auto second = Daemon::Start(Config("other", Socket("a")));
  EXPECT_EQ(ExitCodeOf(second.status()), 4);
  EXPECT_TRUE(fs::exists(Path("a")));
}

TEST_F(DaemonTest, AFolderOfANewerProgramIsRefused) {
  ASSERT_OK(Daemon::Start(Config("state", Socket("a"))));
  std::ofstream(Path("state") / "format") << "999\n";
  const auto newer = Daemon::Start(Config("state", Socket("a")));
  EXPECT_EQ(ExitCodeOf(newer.status()), 3);
  EXPECT_THAT(std::string(newer.status().message()), HasSubstr("999"));
}

TEST_F(DaemonTest, AWorkerProgramThatIsNotThereIsTheOperatorsToMend) {
  ServerConfig config = Config("state", Socket("a"));
  config.worker_count = 1;
  config.worker_command = "/none/worker";
  const auto daemon = Daemon::Start(config);
  EXPECT_EQ(ExitCodeOf(daemon.status()), 2);
  EXPECT_FALSE(fs::exists(Path("a"))) << "it must not listen before it is ready";
}

TEST_F(DaemonTest, WorkersAreStartedWithTheirShareAndEndedByStop) {
  const fs::path worker = Path("worker");
  std::ofstream(worker) << "#!/bin/sh\n"
                        << "if [ $1 = --describe ]; then echo '{\"methods\":[{\"name\":\"rl\"}]}'; exit; fi\n"
                        << "trap 'exit 0' TERM\n"
                        << fmt::format("echo $@ >{0}.new; mv {0}.new {0}\n", Path("arguments").string())
                        << "while :; do sleep 0.02; done\n";
  fs::permissions(worker, fs::perms::owner_all);
  ServerConfig config = Config("state", Socket("a"));
  config.worker_count = 1;
  config.worker_command = worker.string();
  config.worker_threads = 3;
  config.worker_memory_mib = 77;
  ASSERT_OK_AND_ASSIGN(auto daemon, Daemon::Start(config));
  for (int i = 0; i < 2000 && !fs::exists(Path("arguments")); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const std::string arguments = Content(Path("arguments"));
  for (const std::string& part :
       {"--server " + Socket("a"), fmt::format("--credential-file {}", (Path("state") / "worker.credential").string()),
        fmt::format("--spool {}", (Path("state") / "spool").string()), std::string("--threads 3"),
        std::string("--memory-mib 77"), std::string("--die-with-parent")}) {
    EXPECT_THAT(arguments, HasSubstr(part));
  }
  const std::string secret = Content(Path("state") / "worker.credential");
  EXPECT_THAT(arguments, ::testing::Not(HasSubstr(secret.substr(0, 64)))) << "the secret must not be visible in `ps`";
  const auto before = std::chrono::steady_clock::now();
  daemon->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::minutes(1));
}

// One on the processors and one on each of two GPUs, of which the second dies at once and is started again.
TEST_F(DaemonTest, EachGpuGetsAWorkerThatSeesItAlone) {
  const fs::path worker = Path("worker");
  std::ofstream(worker) << "#!/bin/sh\n"
                        << "if [ $1 = --describe ]; then echo '{\"methods\":[{\"name\":\"rl\"}]}'; exit; fi\n"
                        << "if [ $1 = --devices ]; then echo '{\"accelerators\":[{\"uuid\":\"GPU-a\"},{\"index\":1,"
                        << "\"uuid\":\"GPU-b\"}]}'; exit; fi\n"
                        << "trap 'exit 0' TERM\n"
                        << "at=" << Path("started").string() << "-${CUDA_VISIBLE_DEVICES:-cpu}\n"
                        << "[ -e $at ] && at=$at-again\n"
                        << "echo $@ >$at.new; mv $at.new $at\n"
                        << "case $at in *GPU-b) exit 1;; esac\n"
                        << "while :; do sleep 0.02; done\n";
  fs::permissions(worker, fs::perms::owner_all);
  ServerConfig config = Config("state", Socket("a"));
  config.worker_count = 1;
  config.worker_gpus = "all";
  config.worker_gpu_memory_mib = 4321;
  config.worker_threads = 3;
  config.worker_memory_mib = 77;
  config.worker_command = worker.string();
  ASSERT_OK_AND_ASSIGN(auto daemon, Daemon::Start(config));
  const auto started = [&](const std::string& name) {
    for (int i = 0; i < 2000 && !fs::exists(Path("started-" + name)); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return Content(Path("started-" + name));
  };
  const std::string cpu = started("cpu"), first = started("GPU-a"), second = started("GPU-b");
  EXPECT_THAT(cpu, ::testing::AllOf(HasSubstr("--memory-mib 77"), ::testing::Not(HasSubstr("--backend"))));
  for (const std::string& gpu : {first, second}) {
    EXPECT_THAT(gpu,
                ::testing::AllOf(HasSubstr("--backend cuda"), HasSubstr("--memory-mib 4321"), HasSubstr("--threads 3"),
                                 HasSubstr("--server " + Socket("a")), HasSubstr("--die-with-parent")));
  }
  EXPECT_EQ(started("GPU-b-again"), second) << "it is started again on its GPU";
  daemon->Stop();
}

TEST_F(DaemonTest, AGpuThatIsNotThereIsTheOperatorsToMend) {
  const fs::path worker = Path("worker");
  std::ofstream(worker) << "#!/bin/sh\n"
                        << "if [ $1 = --describe ]; then echo '{\"methods\":[{\"name\":\"rl\"}]}'; exit; fi\n"
                        << "echo '{\"accelerators\":[]}'\n";
  fs::permissions(worker, fs::perms::owner_all);
  ServerConfig config = Config("state", Socket("a"));
  config.worker_gpus = "0";
  config.worker_command = worker.string();
  const auto daemon = Daemon::Start(config);
  EXPECT_EQ(ExitCodeOf(daemon.status()), 2);
  EXPECT_THAT(std::string(daemon.status().message()), HasSubstr("there is no GPU `0`"));
  config.worker_gpus = "all";
  EXPECT_OK(Daemon::Start(config));  // a machine without a GPU serves
}

}  // namespace
}  // namespace deconvoy::server
